"""What predictors take: whatever holds a photo, to RGB of 8 bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sod_plugins.data import ImageSource, Photo, read_photo

PredictorInput: TypeAlias = 'ImageSource | NDArray[np.uint8] | Tensor'
Result = TypeVar('Result')


def check_image(image: PredictorInput) -> NDArray[np.uint8]:
    """Return RGB ``(H, W, 3)`` of 8 bits.

    Args:
        image: A file's path, its bytes, an open file or an image of Pillow's, which are turned
            upright as they state; an RGB array ``(H, W, 3)`` of uint8 with any strides; or an RGB
            tensor ``(3, H, W)`` of uint8 on any device.

    Raises:
        DataError: The file cannot be read as an image.
        ValueError: The array or tensor is of another shape or type.
    """
    return as_photo(image).pixels


def as_photo(image: PredictorInput) -> Photo:
    """Return what :func:`check_image` does, with alpha, colour profile and resolution of a file."""
    if isinstance(image, Tensor):
        if (
            image.ndim != 3
            or image.shape[0] != 3
            or image.dtype != torch.uint8
            or not image.numel()
        ):
            raise ValueError(
                f'The image is a tensor of type {image.dtype} and shape {tuple(image.shape)}. '
                'Pass RGB as uint8 (3, H, W).'
            )
        return Photo(image.permute(1, 2, 0).cpu().numpy())
    if not isinstance(image, np.ndarray):
        return read_photo(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f'The image has type {image.dtype} and shape {image.shape}. '
            'Pass RGB as uint8 (H, W, 3).'
        )
    return Photo(image)


def check_batch_size(batch_size: int) -> int:
    """Return how many images go through a network at once.

    Raises:
        ValueError: It is not 1 or more.
    """
    if batch_size < 1:
        raise ValueError(f'batch_size is {batch_size}. Give 1 or more.')
    return batch_size


def in_batches(
    images: PredictorInput | list[Any] | tuple[Any, ...],
    predict: Callable[[Sequence[NDArray[np.uint8]]], list[Result]],
    batch_size: int,
) -> Result | list[Result]:
    """Read an image, or a list of them batch by batch, and predict.

    Args:
        images: An image that :func:`check_image` takes, or a list of them.
        predict: From RGB arrays ``(H, W, 3)``, each of its own size, to a result for each.
        batch_size: How many images of a list it gets at once.

    Returns:
        The result; of a list, a list of them.
    """
    if not isinstance(images, (list, tuple)):
        return predict([check_image(images)])[0]
    results: list[Result] = []
    for start in range(0, len(images), batch_size):
        results += predict([check_image(image) for image in images[start : start + batch_size]])
    return results
