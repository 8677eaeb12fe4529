"""Read images as RGB, from any source.

``decode_image`` converts each file format as follows:

==============================  ==================================================================
format of the file              pixels
==============================  ==================================================================
8-bit RGB                       unchanged; CMYK and YCbCr are converted
1-bit, 8-bit grey, palette      RGB
16-bit grey, 32-bit integers    by the largest value: up to 255, the values themselves; up to 4095
                                (12 bits), value * 255 / 4095; up to 65535, value / 257; rounded
16-bit RGB                      the upper 8 bits (Pillow reads no more)
floating point                  rejected: the scale is unknown
alpha, or a transparent colour  kept separately; the colours under it stay unchanged
==============================  ==================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins._common.names import ExifRule
from sod_plugins.data.decoding import (
    INTEGER_MODES,
    ImageSource,
    convert,
    load_reduced,
    load_upright,
    measure,
    refuse,
    upright_size,
)

_LARGEST_OF_12_BITS = 4095
_OTHER_FORMATS = {'1': '1-bit', 'L': '8-bit grey', 'P': 'palette'}
_ROWS = 64  # processed at a time, to save memory and to stay in the cache


@dataclass(frozen=True)
class DecodedImage:
    """The pixels of an image, and the properties that images made from it should keep.

    Attributes:
        pixels: uint8 (H, W, 3), RGB.
        alpha: uint8 (H, W); None if the image is opaque.
        format: The file format in words, such as ``'8-bit RGB'``.
        icc_profile: The colour profile of the RGB values; None if there is none.
        dpi: Pixels per inch along x and y; None if not stated.
        orientation: The orientation that the file states, from 1 to 8, as in EXIF.
    """

    pixels: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None
    format: str = '8-bit RGB'
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    orientation: int = 1


def read_image(source: ImageSource, exif: ExifRule = 'apply') -> NDArray[np.uint8]:
    """Read an image as RGB; ``sod_plugins.data.images`` lists the file formats.

    Args:
        source: A path, the bytes of a file, an open file, or a Pillow image.
        exif: ``'apply'`` turns the image upright by its stated orientation; ``'ignore'`` leaves
            it as stored.

    Returns:
        uint8 array (H, W, 3), in RGB order.

    Raises:
        DataError: The file is missing, damaged, too large or not an image, or has values of unknown
            scale.
    """
    return decode_image(source, exif).pixels


def decode_image(source: ImageSource, exif: ExifRule = 'apply') -> DecodedImage:
    """Read an image as :func:`read_image` does, with its alpha, colour profile and resolution."""
    image, orientation = load_upright(source, 'image', exif)
    dpi = _resolution(image)
    if image.mode == 'F':
        refuse(source, 'image', 'floating-point values have no fixed scale', 'Save it as 8-bit RGB')
    if image.mode in INTEGER_MODES:
        grey, format = _eight_bits(source, np.asarray(image))
        return DecodedImage(
            np.repeat(grey[..., None], 3, axis=2), format=format, dpi=dpi, orientation=orientation
        )
    profile = image.info.get('icc_profile')
    # A profile for grey or CMYK does not apply to RGB.
    profile = profile if isinstance(profile, bytes) and profile[16:20] == b'RGB ' else None
    format = _OTHER_FORMATS.get(image.mode, f'8-bit {image.mode}')
    pixels, alpha = _colours_and_alpha(source, image)
    return DecodedImage(pixels, alpha, format, profile, dpi, orientation)


def check_image_file(source: str | Path, exif: ExifRule = 'apply') -> tuple[int, int]:
    """Read the size of an image, and check that :func:`read_image` can read its file.

    Only files whose values may have no scale are decoded in full; see
    :func:`sod_plugins.data.read_size`.

    Raises:
        DataError: As for :func:`read_image`.
    """
    size, orientation, mode = measure(source, 'image')
    if mode in (*INTEGER_MODES, 'F'):
        decode_image(source, exif)
    return upright_size(size, orientation, exif)


def read_reduced(
    source: ImageSource, least: tuple[int, int], exif: ExifRule = 'apply'
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Read an image of which only a smaller version is needed.

    A JPEG is decoded at a half, a quarter or an eighth of its size, in as little as a third of the
    time.

    Args:
        source: As for :func:`read_image`.
        least: Smallest height and width of the result, if the image is that large.
        exif: As for :func:`read_image`.

    Returns:
        uint8 array (h, w, 3), in RGB order, and the height and width of the image itself.

    Raises:
        DataError: As for :func:`read_image`.
    """
    smaller = max(least)  # however the image is turned
    image, (width, height) = load_reduced(source, 'image', exif, (smaller, smaller))
    if image.mode in (*INTEGER_MODES, 'F'):
        return decode_image(image).pixels, (height, width)
    return _colours_and_alpha(source, image)[0], (height, width)


def _colours_and_alpha(
    source: ImageSource, image: Image.Image
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return RGB (H, W, 3) and alpha (H, W), None if all pixels are opaque."""
    width, height = image.size
    mode = 'RGBA' if image.has_transparency_data else 'RGB'
    pixels = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if mode == 'RGBA' else None
    for top in range(0, height, _ROWS):
        bottom = min(top + _ROWS, height)
        rows = np.asarray(convert(image.crop((0, top, width, bottom)), mode, source, 'image'))
        pixels[top:bottom] = rows[..., :3]
        if alpha is not None:
            alpha[top:bottom] = rows[..., 3]
    return pixels, None if alpha is None or alpha.min() == 255 else alpha


def _eight_bits(source: ImageSource, values: NDArray[Any]) -> tuple[NDArray[np.uint8], str]:
    """Scale integers to 8 bits according to their range, and name that range."""
    largest = int(values.max())
    if values.min() < 0 or largest > 65535:
        refuse(source, 'image', 'its values are not 8-, 12- or 16-bit', 'Save it as 8-bit RGB')
    if largest <= 255:
        return values.astype(np.uint8), '16-bit grey with 8-bit values'
    is_12_bit = largest <= _LARGEST_OF_12_BITS
    white = _LARGEST_OF_12_BITS if is_12_bit else 65535
    grey = np.empty(values.shape, np.uint8)
    for row in range(0, len(values), _ROWS):
        part = values[row : row + _ROWS].astype(np.int64)
        grey[row : row + _ROWS] = (part * 255 + white // 2) // white
    return grey, '16-bit grey with 12-bit values' if is_12_bit else '16-bit grey'


def _resolution(image: Image.Image) -> tuple[float, float] | None:
    """Return the stated resolution of an image in dots per inch, if it is plausible."""
    try:
        x, y = (float(value) for value in image.info['dpi'])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return (x, y) if all(math.isfinite(v) and 1 < v < 1e6 for v in (x, y)) else None
