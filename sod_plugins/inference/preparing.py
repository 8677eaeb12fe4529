"""Convert images to network inputs with NumPy and Pillow, without copying them to float32.

The values are those of :meth:`sod_plugins.networks.Preprocessing.apply` up to rounding. Images of
over a million pixels are rounded to 8 bits in between if the network takes antialiased input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins._common.input_format import InputFormat
from sod_plugins.inference.enlarging import neighbours

Array = NDArray[np.float32]
LARGE = 1 << 20  # pixels


def prepare(image: NDArray[np.uint8], wanted: InputFormat) -> Array:
    """Convert an 8-bit RGB image (H, W, 3) to a normalised input (3, *size), float32."""
    resized = _antialiased(image, wanted.size) if wanted.antialias else _plain(image, wanted.size)
    mean, std = (np.array(values, np.float32) for values in (wanted.mean, wanted.std))
    resized -= mean
    resized /= std
    return np.ascontiguousarray(resized.transpose(2, 0, 1))


def _antialiased(image: NDArray[np.uint8], size: tuple[int, int]) -> Array:
    """Resize with a triangle filter as wide as the factor, like Pillow and torch."""
    height, width = size
    target, how = (width, height), Image.Resampling.BILINEAR
    if image.shape[0] * image.shape[1] > LARGE:
        whole = Image.fromarray(np.ascontiguousarray(image))
        return np.array(whole.resize(target, how), np.float32)
    channels = np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
    resized = [np.asarray(Image.fromarray(one).resize(target, how)) for one in channels]
    return np.stack(resized, axis=-1)


def _plain(image: NDArray[np.uint8], size: tuple[int, int]) -> Array:
    """Resize bilinearly: only the four pixels around each output pixel are read."""
    upper, lower, down = neighbours(image.shape[0], size[0])
    left, right, along = neighbours(image.shape[1], size[1])
    down, along = down[:, None, None], along[:, None]

    def row(at: NDArray[np.int64]) -> Array:
        first = image[at[:, None], left].astype(np.float32)
        return first + (image[at[:, None], right].astype(np.float32) - first) * along

    above = row(upper)
    resized: Array = above + (row(lower) - above) * down
    return resized
