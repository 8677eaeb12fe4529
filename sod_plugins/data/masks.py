"""Read saliency masks and label images into arrays.

Files are decoded like other images (``sod_plugins.data.decoding``). A file that cannot be read
raises a ``DataError`` that names it.

``read_mask`` converts each file format as follows. A saved saliency map follows the same rules,
except that it may be dark, see ``decode_prediction``.

==============================  ==================================================================
format of the mask file         mask values
==============================  ==================================================================
1-bit                           0 and 1
8-bit grey, largest value 0     an empty mask
8-bit grey, largest value 1     the value itself
8-bit grey, largest value 2-15  rejected: class or instance indices (no mask is that dark)
8-bit grey, larger              value / 255; grey levels (soft edges, PASCAL-S) stay soft
16-bit grey, 32-bit integer     value / 65535; up to 255: as 8-bit grey; over 65535: rejected;
                                largest value 256-4111: rejected, as 2-15 of 8-bit grey
floating point                  0 to 1: the value; up to 255: value / 255; otherwise rejected;
                                largest value over 1 and below 16: rejected, as in 8-bit grey
palette of grey colours         the grey of the palette, then as 8-bit grey
palette with colours            indices 0 and 1 only: the index; more indices: rejected (labels)
RGB, equal channels             the grey value, as 8-bit grey (differences up to 8, as JPEG makes,
                                are averaged, and up to 16 in at most 1 of 1,000 pixels)
RGB, different channels         rejected: colours encode labels, or it is a photo
alpha, constant                 ignored: the colours are read as above
alpha, varying                  alpha / 255 is the mask (a stencil or a cut-out), unless the
                                visible part is grey with more than one level: rejected, as
                                either grey or alpha may be the mask
==============================  ==================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins._common.names import ExifRule
from sod_plugins.data.decoding import (
    INTEGER_MODES,
    ImageSource,
    convert,
    load_upright,
    measure,
    refuse,
    upright_size,
)

# PASCAL-S, the softest of the common data sets, has no object below 1/12 (grey 21).
_DARKEST_MASK = 16
# Allowed differences between the channels of a grey image: the noise of JPEG, and a few outliers.
# DUTS-TR and DUTS-TE hold one mask each with 14 and 13, in 2 to 10 of 150,000 pixels.
_JPEG_CHROMA_NOISE = 8
_STRAY_CHROMA_NOISE = 16
_STRAY_SHARE = 1e-3


@dataclass(frozen=True)
class DecodedMask:
    """A saliency mask and how its file was interpreted.

    Attributes:
        values: float32 array (H, W) in [0, 1].
        format: The file format in words, such as ``'1-bit'`` or ``'8-bit grey 0..255'``.
        scale: The file's value that became 1.
        white: The largest value that the file format can hold. It exceeds ``scale`` if the scale
            was derived from the largest value found.
        orientation: The orientation that the file states, from 1 to 8, as in EXIF.
    """

    values: NDArray[np.float32]
    format: str
    scale: int = 1
    white: int = 1
    orientation: int = 1


@dataclass(frozen=True)
class _File:
    """The file being decoded, and its role."""

    source: ImageSource
    role: Literal['mask', 'prediction']
    exif: ExifRule = 'apply'
    full_scale: bool = False

    def refuse(self, reason: str, remedy: str) -> NoReturn:
        refuse(self.source, self.role, reason, remedy)

    def convert(self, image: Image.Image, mode: str) -> NDArray[np.uint8]:
        return np.asarray(convert(image, mode, self.source, self.role))


def read_size(source: ImageSource, exif: ExifRule = 'apply') -> tuple[int, int]:
    """Read the size of an image or mask, and check that its file is complete.

    The pixels are decoded for this check, a JPEG at an eighth of its size, which takes less than
    half the time.

    Args:
        source: As for :func:`read_mask`.
        exif: As for :func:`read_mask`.

    Returns:
        (height, width) in pixels, of the image as it would be read.

    Raises:
        DataError: The file is missing, damaged or not an image.
    """
    size, orientation, _ = measure(source, 'image')
    return upright_size(size, orientation, exif)


def read_mask(source: ImageSource, exif: ExifRule = 'apply') -> NDArray[np.float32]:
    """Read a saliency mask; soft edges stay soft.

    The table at the top of ``sod_plugins.data.masks`` lists the file formats.

    Args:
        source: A path, the bytes of a file, an open file, or a Pillow image.
        exif: ``'apply'`` turns the mask upright by its stated orientation; ``'ignore'`` leaves it
            as stored.

    Returns:
        float32 array (H, W) in [0, 1].

    Raises:
        DataError: The file is missing, damaged, or not a valid saliency mask.
    """
    return decode_mask(source, exif).values


def decode_mask(source: ImageSource, exif: ExifRule = 'apply') -> DecodedMask:
    """Read a saliency mask as ``read_mask`` does, and report how the file was interpreted."""
    return _decode(_File(source, 'mask', exif))


def decode_prediction(
    source: ImageSource, *, full_scale: bool = False, exif: ExifRule = 'apply'
) -> DecodedMask:
    """Read a saved saliency map by the rules for masks, and report how it was interpreted.

    A map may be dark, so no largest value is rejected. A map of only 0 and 1 is read as 0/1, and
    16-bit data with values up to 255 as 8-bit data.

    Args:
        source: As for :func:`read_mask`.
        full_scale: Whether the white of the file format becomes 1 instead; such maps are dark.
        exif: As for :func:`read_mask`.

    Raises:
        DataError: The file is missing, damaged, or not a valid saliency map.
    """
    return _decode(_File(source, 'prediction', exif, full_scale))


def _decode(file: _File) -> DecodedMask:
    image, orientation = load_upright(file.source, file.role, file.exif)
    return replace(_understand(file, image), orientation=orientation)


def _understand(file: _File, image: Image.Image) -> DecodedMask:
    if image.mode not in INTEGER_MODES and image.has_transparency_data:
        alpha = file.convert(image, 'RGBA')[..., 3]
        if alpha.min() != alpha.max():
            return _decode_alpha(file, image, alpha)
    if image.mode == '1':
        return DecodedMask(np.asarray(image).astype(np.float32), '1-bit')
    if image.mode in INTEGER_MODES:
        return _decode_integers(file, np.asarray(image))
    if image.mode == 'F':
        return _decode_floats(file, np.asarray(image))
    if image.mode == 'P':
        return _decode_palette(file, image)
    if image.mode in ('L', 'LA', 'La'):
        return _decode_grey(file, file.convert(image, 'L'), '8-bit grey')
    return _decode_grey(file, _grey_of_colours(file, image), 'RGB')


def read_numbers(source: ImageSource, exif: ExifRule = 'apply') -> NDArray[np.int64]:
    """Read a label image that holds an integer for each pixel.

    Args:
        source: As for :func:`read_mask`.
        exif: As for :func:`read_mask`.

    Returns:
        int64 array (H, W): the values of a grey image, or the indices of a palette image.

    Raises:
        DataError: The file is missing, damaged, or holds colours or fractions.
    """
    image, _ = load_upright(source, 'label image', exif)
    if image.mode not in ('1', 'L', 'P', *INTEGER_MODES):
        refuse(source, 'label image', f'its mode {image.mode} holds no numbers', 'Save it as grey')
    return np.asarray(image).astype(np.int64)


def _decode_grey(file: _File, values: NDArray[Any], format: str, white: int = 255) -> DecodedMask:
    """Apply the rules for 8-bit grey to integers from 0 to 255."""
    largest = int(values.max())
    if largest > 1:
        _refuse_labels(file, largest, 255)
    scale = white if file.full_scale else 1 if largest <= 1 else 255
    return DecodedMask(
        _divide(values, scale),
        f'{format} {_levels(values, largest)}',
        scale,
        white,
    )


def _divide(values: NDArray[Any], scale: int) -> NDArray[np.float32]:
    """Divide in float32, without a temporary array of the mask's size."""
    quotient: NDArray[np.float32] = np.divide(values, np.float32(scale), dtype=np.float32)
    return quotient


def _refuse_labels(file: _File, largest: float, white: int) -> None:
    """Reject a mask whose largest value is too far below white for a salient object."""
    if file.role == 'mask' and largest * 255 < _DARKEST_MASK * white:
        file.refuse(
            f'its largest value is {largest:g} of {white}, so it seems to hold class or instance '
            'numbers',
            f'Save the salient part as {white} (or 1) on 0',
        )


def _levels(values: NDArray[Any], largest: int) -> str:
    if largest <= 1:
        return '0/1'
    return 'levels' if bool(((values > 0) & (values < 255)).any()) else '0/255'


def _decode_integers(file: _File, values: NDArray[Any]) -> DecodedMask:
    if values.min() < 0 or values.max() > 65535:
        file.refuse('its values are not 8- or 16-bit', 'Save it as 8-bit grey')
    if values.max() <= 255:
        return _decode_grey(file, values, '16-bit with 8-bit values', white=65535)
    _refuse_labels(file, int(values.max()), 65535)
    scaled = _divide(values, 65535)
    return DecodedMask(scaled, '16-bit grey', 65535, 65535)


def _decode_floats(file: _File, values: NDArray[Any]) -> DecodedMask:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        file.refuse('its values are not within 0 to 1 or 0 to 255', 'Scale them')
    scale = 1 if values.max() <= 1 else 255
    if scale == 255:
        _refuse_labels(file, float(values.max()), 255)
    scaled = _divide(values, scale)
    return DecodedMask(scaled, f'float 0..{scale}', scale, scale)


def _decode_palette(file: _File, image: Image.Image) -> DecodedMask:
    indices = np.asarray(image)
    colours = file.convert(image, 'RGB')
    if not np.ptp(colours, axis=2).any():
        return _decode_grey(file, colours[..., 0], 'grey palette')
    if indices.max() > 1:
        file.refuse(
            'its palette has colours, which code labels',
            'Save the salient part as 255 on 0, without a palette',
        )
    return DecodedMask(indices.astype(np.float32), 'colour palette, indices 0/1')


def _grey_of_colours(file: _File, image: Image.Image) -> NDArray[np.uint8]:
    colours = file.convert(image, 'RGB')
    if _coloured(colours):
        file.refuse(
            'it has colours: its colour channels differ, so it is a photo or they code labels',
            'Save the salient part as white on black',
        )
    mean = colours.sum(axis=2, dtype=np.uint16)
    mean += 1  # round to nearest: a third is never halfway
    mean //= 3
    grey: NDArray[np.uint8] = mean.astype(np.uint8)
    return grey


def _coloured(colours: NDArray[np.uint8]) -> bool:
    """Return whether the channels of RGB (..., 3) differ by more than the noise of a grey image."""
    differences = np.ptp(colours, axis=-1)
    stray = float((differences > _JPEG_CHROMA_NOISE).mean())
    return bool(differences.max() > _STRAY_CHROMA_NOISE) or stray > _STRAY_SHARE


def _decode_alpha(file: _File, image: Image.Image, alpha: NDArray[np.uint8]) -> DecodedMask:
    visible = file.convert(image, 'RGB')[alpha > 0]
    if not _coloured(visible) and np.ptp(visible) > _JPEG_CHROMA_NOISE:
        file.refuse(
            f'both its grey values and its alpha vary, so either may be the {file.role}',
            f'Save the {file.role} as 8-bit grey without alpha',
        )
    return DecodedMask(_divide(alpha, 255), 'alpha', 255, 255)
