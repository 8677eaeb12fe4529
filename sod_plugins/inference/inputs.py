"""Inputs of predictors: convert images from any source to 8-bit RGB."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sod_plugins._common.limits import MOST_IN_BATCH, require_number
from sod_plugins.data import DecodedImage, ImageSource, decode_image

PredictorInput: TypeAlias = 'ImageSource | NDArray[np.uint8] | Tensor'
Result = TypeVar('Result')


def check_image(image: PredictorInput) -> NDArray[np.uint8]:
    """Return an image as 8-bit RGB ``(H, W, 3)``.

    Args:
        image: A path, the bytes of a file, an open file or a Pillow image, turned upright by its
            stated orientation; an RGB array ``(H, W, 3)`` of uint8 with any strides; or an RGB
            tensor ``(3, H, W)`` of uint8 on any device.

    Raises:
        DataError: The file cannot be read as an image.
        ValueError: The array or tensor has another shape or type.
    """
    return as_decoded_image(image).pixels


def as_decoded_image(image: PredictorInput) -> DecodedImage:
    """Return an image as :func:`check_image` does, with alpha, colour profile and resolution."""
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
        return DecodedImage(image.permute(1, 2, 0).cpu().numpy())
    if not isinstance(image, np.ndarray):
        return decode_image(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(
            f'The image has type {image.dtype} and shape {image.shape}. '
            'Pass RGB as uint8 (H, W, 3).'
        )
    return DecodedImage(image)


def check_batch_size(batch_size: int) -> int:
    """Check a batch size and return it.

    Raises:
        ValueError: It is less than 1, or absurd.
    """
    return require_number('batch_size', batch_size, 1, MOST_IN_BATCH, 'images')


def in_batches(
    images: PredictorInput | list[Any] | tuple[Any, ...],
    predict: Callable[[Sequence[NDArray[np.uint8]]], list[Result]],
    batch_size: int,
) -> Result | list[Result]:
    """Read and predict an image, or a list of images in batches.

    Args:
        images: An image as for :func:`check_image`, or a list of images.
        predict: Maps RGB arrays ``(H, W, 3)`` of different sizes to one result each.
        batch_size: Number of images of a list per call.

    Returns:
        The result, or a list of results for a list.
    """
    if not isinstance(images, (list, tuple)):
        return predict([check_image(images)])[0]
    results: list[Result] = []
    for start in range(0, len(images), batch_size):
        results += predict([check_image(image) for image in images[start : start + batch_size]])
    return results
