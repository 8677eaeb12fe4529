"""What predictors take: whatever holds a photo, to RGB of 8 bits."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sod_plugins.data import ImageSource, Photo, read_photo

PredictorInput: TypeAlias = 'ImageSource | NDArray[np.uint8] | Tensor'


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
