"""Photos and saliency masks: from file to array.

The readers honour the EXIF orientation and turn everything that Pillow cannot read (a missing,
truncated or foreign file) into a ``DataError`` that names the file.

What a mask becomes (``read_mask``), by what its file holds (a saved saliency map follows the same
rules, except that it may be as dark as it is, see ``decode_prediction``):

==============================  ==================================================================
the mask file                   its values become
==============================  ==================================================================
1-bit                           0 and 1
8-bit grey, largest value 0     an empty mask
8-bit grey, largest value 1     0/1 coding: the value itself
8-bit grey, largest value 2-15  refused: class or instance numbers (no mask is that dark)
8-bit grey, larger              value / 255; grey levels (soft edges, PASCAL-S) stay soft
16-bit grey, 32-bit integer     value / 65535; up to 255: as 8-bit grey; over 65535: refused;
                                largest value 256-4111: refused, as 2-15 of 8-bit grey
floating point                  0 to 1: the value; up to 255: value / 255; otherwise refused;
                                largest value over 1 and below 16: refused, as of 8-bit grey
palette of grey colours         the palette's grey, then as 8-bit grey
palette with colours            indices 0 and 1 only: the index; more indices: refused (labels)
RGB, channels equal             the grey value, as 8-bit grey (differences of 8, as JPEG makes, are
                                averaged away, and of 16 in at most 1 of 1,000 pixels)
RGB, channels differ            refused: colours code labels, or it is a photo
alpha, the same everywhere      ignored: the colours are read as above
alpha, varying                  alpha / 255 is the mask (a stencil or a cut-out), unless the
                                visible part is grey in more than one level: refused, as grey
                                and alpha may both be meant
==============================  ==================================================================
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from sod_plugins.data.errors import DataError

# What Pillow's decoders raise on damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_INTEGER_MODES = ('I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
# PASCAL-S, the softest of the usual sets, has no object below 1/12 (grey 21).
_DARKEST_MASK = 16
# Differences between the channels of a grey image: what JPEG makes, and what stray pixels may have
# beside it. DUTS-TR and DUTS-TE hold one mask each with 14 and 13, in 2 to 10 of 150,000 pixels.
_JPEG_CHROMA_NOISE = 8
_STRAY_CHROMA_NOISE = 16
_STRAY_SHARE = 1e-3


@dataclass(frozen=True)
class DecodedMask:
    """A saliency mask and how its file was understood.

    Attributes:
        values: float32 array (H, W) in [0, 1].
        coding: The kind of file, in words, such as ``'1-bit'`` or ``'8-bit grey 0..255'``.
        scale: The value of the file that became 1.
        white: The largest value that the type of the file holds: larger than ``scale`` where
            the largest value found decided the scale.
    """

    values: NDArray[np.float32]
    coding: str
    scale: int = 1
    white: int = 1


@dataclass(frozen=True)
class _Source:
    """The file that is being decoded, and what it is to be."""

    path: str | Path
    role: Literal['mask', 'prediction']
    full_scale: bool = False

    def refuse(self, reason: str, remedy: str) -> NoReturn:
        _refuse(self.path, self.role, reason, remedy)


def read_image(path: str | Path) -> NDArray[np.uint8]:
    """Read a photo as RGB.

    Grey and palette images become RGB, 16-bit grey is divided by 257 and rounded, alpha is
    dropped (the colours under it stay as they are), and only the first frame is read.

    Args:
        path: An image file that Pillow reads.

    Returns:
        uint8 array (H, W, 3), in RGB order, upright by its EXIF orientation.

    Raises:
        DataError: The file is missing, damaged, no image, or holds values of unknown scale.
    """
    image = _load(path, 'image')
    if image.mode == 'F':
        _refuse(path, 'image', 'floating-point values have no fixed scale', 'Save it as 8-bit RGB')
    if image.mode in _INTEGER_MODES:
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            _refuse(path, 'image', 'its values are not 8- or 16-bit', 'Save it as 8-bit RGB')
        grey = ((values.astype(np.int64) + 128) // 257).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if 'transparency' in image.info:  # Pillow warns where a palette's alpha is dropped directly
        image = image.convert('RGBA')
    return np.array(image.convert('RGB'))


def read_size(path: str | Path) -> tuple[int, int]:
    """Read the size of a photo or mask whose file is complete.

    The pixels are decoded to see that they are all there; those of a JPEG at an eighth of the size,
    which takes less than half the time.

    Returns:
        (height, width) in pixels, upright by its EXIF orientation.

    Raises:
        DataError: The file is missing, damaged or no image.
    """
    with _opened(path, 'image') as image:
        exif = image.getexif()
        turned = exif.get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
        width, height = image.size
        if image.format == 'TIFF':  # recent versions of Pillow have turned its size already
            width, height = exif[ExifTags.Base.ImageWidth], exif[ExifTags.Base.ImageLength]
        image.draft('L', (1, 1))  # which changes image.size
        image.load()
    return (width, height) if turned else (height, width)


def read_mask(path: str | Path) -> NDArray[np.float32]:
    """Read a saliency mask; soft edges stay soft.

    The table at the top of ``sod_plugins.data.images`` says what each kind of file becomes.

    Args:
        path: An image file that Pillow reads.

    Returns:
        float32 array (H, W) in [0, 1], upright by its EXIF orientation.

    Raises:
        DataError: The file is missing, damaged, or cannot be understood as a saliency mask.
    """
    return decode_mask(path).values


def decode_mask(path: str | Path) -> DecodedMask:
    """Read a saliency mask as ``read_mask`` does and say how the file was understood."""
    return _decode(_Source(path, 'mask'))


def decode_prediction(path: str | Path, *, full_scale: bool = False) -> DecodedMask:
    """Read a saved saliency map by the rules of masks and say how the file was understood.

    A map may be dark, so no largest value is refused; but a map of 0 and 1 counts as 0/1-coded,
    and 16 bits that hold values up to 255 as 8 bits.

    Args:
        path: An image file that Pillow reads.
        full_scale: Whether 1 is the file type's white instead, so that such maps are dark ones.

    Raises:
        DataError: The file is missing, damaged, or cannot be understood as a saliency map.
    """
    return _decode(_Source(path, 'prediction', full_scale))


def _decode(source: _Source) -> DecodedMask:
    image = _load(source.path, source.role)
    if image.mode not in _INTEGER_MODES and image.has_transparency_data:
        alpha = np.asarray(image.convert('RGBA').getchannel('A'))
        if alpha.min() != alpha.max():
            return _decode_alpha(source, image, alpha)
    if image.mode == '1':
        return DecodedMask(np.asarray(image).astype(np.float32), '1-bit')
    if image.mode in _INTEGER_MODES:
        return _decode_integers(source, np.asarray(image))
    if image.mode == 'F':
        return _decode_floats(source, np.asarray(image))
    if image.mode == 'P':
        return _decode_palette(source, image)
    if image.mode in ('L', 'LA', 'La'):
        return _decode_grey(source, np.asarray(image.convert('L')), '8-bit grey')
    return _decode_grey(source, _grey_of_colours(source, image), 'RGB')


def read_numbers(path: str | Path) -> NDArray[np.int64]:
    """Read a label image that holds a whole number for each pixel.

    Returns:
        int64 array (H, W), upright by its EXIF orientation: the values of a grey image, and the
        indices of one with a palette.

    Raises:
        DataError: The file is missing, damaged, or holds colours or fractions.
    """
    image = _load(path, 'label image')
    if image.mode not in ('1', 'L', 'P', *_INTEGER_MODES):
        _refuse(path, 'label image', f'its mode {image.mode} holds no numbers', 'Save it as grey')
    return np.asarray(image).astype(np.int64)


def _load(path: str | Path, role: str) -> Image.Image:
    """Open and decode the first frame, turned upright."""
    with _opened(path, role) as image:
        image.load()
        upright = ImageOps.exif_transpose(image)
    return upright


@contextmanager
def _opened(path: str | Path, role: str) -> Iterator[Image.Image]:
    """Open a file and turn what Pillow raises meanwhile into ``DataError``."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        _refuse(path, role, 'there is no such file', 'Correct the path')
    except UnidentifiedImageError:
        _refuse(path, role, 'it is no image that Pillow can identify', 'Replace or remove it')
    except _DECODER_ERRORS as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Pillow's
            _refuse(path, role, str(error.strerror), 'Correct the path or its permissions')
        _refuse(path, role, f'the file is damaged or truncated ({error})', 'Fetch it again')


def _refuse(path: str | Path, role: str, reason: str, remedy: str) -> NoReturn:
    raise DataError(f"Cannot read {role} '{path}': {reason}. {remedy}.")


def _decode_grey(
    source: _Source, values: NDArray[Any], coding: str, white: int = 255
) -> DecodedMask:
    """Apply the rules of 8-bit grey to integers from 0 to 255."""
    largest = int(values.max())
    if largest > 1:
        _refuse_labels(source, largest, 255)
    scale = white if source.full_scale else 1 if largest <= 1 else 255
    return DecodedMask(
        values.astype(np.float32) / np.float32(scale),
        f'{coding} {_levels(values, largest)}',
        scale,
        white,
    )


def _refuse_labels(source: _Source, largest: float, white: int) -> None:
    """Refuse a mask whose largest value is too far below white for a salient object."""
    if source.role == 'mask' and largest * 255 < _DARKEST_MASK * white:
        source.refuse(
            f'its largest value is {largest:g} of {white}, so it seems to hold class or instance '
            'numbers',
            f'Save the salient part as {white} (or 1) on 0',
        )


def _levels(values: NDArray[Any], largest: int) -> str:
    if largest <= 1:
        return '0/1'
    return '0/255' if bool(np.isin(values, (0, 255)).all()) else 'levels'


def _decode_integers(source: _Source, values: NDArray[Any]) -> DecodedMask:
    if values.min() < 0 or values.max() > 65535:
        source.refuse('its values are not 8- or 16-bit', 'Save it as 8-bit grey')
    if values.max() <= 255:
        return _decode_grey(source, values, '16-bit with 8-bit values', white=65535)
    _refuse_labels(source, int(values.max()), 65535)
    scaled = values.astype(np.float32) / np.float32(65535)
    return DecodedMask(scaled, '16-bit grey', 65535, 65535)


def _decode_floats(source: _Source, values: NDArray[Any]) -> DecodedMask:
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        source.refuse('its values are not within 0 to 1 or 0 to 255', 'Scale them')
    scale = 1 if values.max() <= 1 else 255
    if scale == 255:
        _refuse_labels(source, float(values.max()), 255)
    scaled = values.astype(np.float32) / np.float32(scale)
    return DecodedMask(scaled, f'float 0..{scale}', scale, scale)


def _decode_palette(source: _Source, image: Image.Image) -> DecodedMask:
    indices = np.asarray(image)
    colours = np.asarray(image.convert('RGB'))
    if not np.ptp(colours, axis=2).any():
        return _decode_grey(source, colours[..., 0], 'grey palette')
    if indices.max() > 1:
        source.refuse(
            'its palette has colours, which code labels',
            'Save the salient part as 255 on 0, without a palette',
        )
    return DecodedMask(indices.astype(np.float32), 'colour palette, indices 0/1')


def _grey_of_colours(source: _Source, image: Image.Image) -> NDArray[np.uint8]:
    colours = np.asarray(image.convert('RGB'))
    if _coloured(colours):
        source.refuse(
            'it has colours: its colour channels differ, so it is a photo or they code labels',
            'Save the salient part as white on black',
        )
    grey: NDArray[np.uint8] = np.rint(colours.mean(axis=2)).astype(np.uint8)
    return grey


def _coloured(colours: NDArray[np.uint8]) -> bool:
    """Whether RGB values (..., 3) differ between channels by more than a grey image's noise."""
    differences = np.ptp(colours, axis=-1)
    stray = float((differences > _JPEG_CHROMA_NOISE).mean())
    return bool(differences.max() > _STRAY_CHROMA_NOISE) or stray > _STRAY_SHARE


def _decode_alpha(source: _Source, image: Image.Image, alpha: NDArray[np.uint8]) -> DecodedMask:
    visible = np.asarray(image.convert('RGB'))[alpha > 0]
    if not _coloured(visible) and np.ptp(visible) > _JPEG_CHROMA_NOISE:
        source.refuse(
            f'both its grey values and its alpha vary, so either may be the {source.role}',
            f'Save the {source.role} as 8-bit grey without alpha',
        )
    return DecodedMask(alpha.astype(np.float32) / np.float32(255), 'alpha', 255, 255)


def save_png(path: str | Path, pixels: NDArray[np.uint8]) -> None:
    """Save pixels ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` as PNG; the folder is made.

    The file is written under a temporary name and then renamed, so that a picture under its final
    name is always complete, also after a run that was killed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # One fixed temporary name a file: the next run overwrites what a killed one left.
    unfinished = path.with_name(f'.{path.name}.part')
    Image.fromarray(pixels).save(unfinished, format='PNG')
    unfinished.replace(path)
