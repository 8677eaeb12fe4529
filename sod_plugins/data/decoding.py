"""The single image decoder: from a path, bytes or an open file to upright pixels.

It reads the formats of Pillow's registry, including plugins, except those in ``LEFT_OUT``.
Metadata never prevent decoding and never change the pixels beyond the stated orientation. If they
are so broken that Pillow gives up, the file is decoded again without them.
"""

from __future__ import annotations

import importlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeAlias

from PIL import ExifTags, Image, UnidentifiedImageError

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import EXIF_RULES, ExifRule
from sod_plugins._common.reading import open_regular, why
from sod_plugins.data.errors import DataError
from sod_plugins.data.metadata import without_metadata

ImageSource: TypeAlias = 'str | os.PathLike[str] | bytes | BinaryIO | Image.Image'

INTEGER_MODES = ('I', 'I;16', 'I;16B', 'I;16L', 'I;16N')
# Formats of Pillow that are not read, whatever the file's extension, with the reason.
LEFT_OUT = {
    'EPS': 'reading it starts another program',
    'WMF': 'it is drawn by the system, on Windows only',
    'BUFR': 'it holds no image',
    'GRIB': 'it holds no image',
    'HDF5': 'it holds no image',
    'MPEG': 'it is a film',
    'IPTC': 'it may hold a file of any other format',
}
# Image formats that Pillow cannot open by itself.
_FOREIGN = ('.jxl', '.exr', '.dng', '.cr2', '.cr3', '.nef', '.arw', '.orf', '.rw2', '.raf')
_HEIC = ('.heic', '.heif', '.hif')
_HEIC_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1', b'msf1')
_INSTALL_HEIC = "HEIC needs one more package. Run: pip install 'sod-plugins[heic]'"

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@cache
def _load_plugins() -> None:
    """Register all formats of Pillow and, if installed, of pillow-heif."""
    Image.init()
    with suppress(ImportError):
        importlib.import_module('pillow_heif').register_heif_opener()


def image_formats() -> tuple[str, ...]:
    """Return the names of the formats that are read, according to Pillow's current registry."""
    _load_plugins()
    return tuple(name for name in Image.ID if name not in LEFT_OUT)


def image_extensions() -> frozenset[str]:
    """Return the extensions, in lower case, of the formats that are read."""
    formats = {*image_formats(), 'MPO'}  # opened as JPEG
    return frozenset(end for end, name in Image.registered_extensions().items() if name in formats)


def why_left_out(path: str | Path) -> str | None:
    """Say why a file is not read although its extension is that of an image.

    Returns None for images that are read and for files that are not images.
    """
    end = Path(path).suffix.lower()
    if end in image_extensions():
        return None
    if end in _HEIC:
        return _INSTALL_HEIC
    if end in _FOREIGN:
        return 'Pillow does not read this format. Save it as JPEG or PNG'
    name = Image.registered_extensions().get(end, '')
    return f'{name} is left out, as {LEFT_OUT[name]}' if name in LEFT_OUT else None


def load_upright(
    source: ImageSource, role: str, exif: ExifRule = 'apply'
) -> tuple[Image.Image, int]:
    """Decode the first frame of an image.

    Args:
        source: A path, the bytes of a file, an open file, or a Pillow image.
        role: What the image is, for messages.
        exif: ``'apply'`` turns the image upright by its stated orientation (EXIF, XMP or TIFF
            tag); ``'ignore'`` leaves the pixels as stored.

    Returns:
        The loaded image and its stated orientation, from 1 to 8.

    Raises:
        DataError: The image is missing, damaged, too large, or in a format that is not read.
    """
    require_choice('exif', exif, EXIF_RULES, DataError)
    return _turned(_decode(source, role)[1], exif)


def load_reduced(
    source: ImageSource, role: str, exif: ExifRule, least: tuple[int, int]
) -> tuple[Image.Image, tuple[int, int]]:
    """Decode an image like :func:`load_upright`, but a JPEG only as finely as needed.

    Args:
        source: See :func:`load_upright`.
        role: See :func:`load_upright`.
        exif: See :func:`load_upright`.
        least: Smallest width and height to which a JPEG is reduced, to a half, a quarter or an
            eighth.

    Returns:
        The loaded image, and the width and height of the whole one, both upright.

    Raises:
        DataError: See :func:`load_upright`.
    """
    require_choice('exif', exif, EXIF_RULES, DataError)
    size, image = _decode(source, role, least)
    upright, orientation = _turned(image, exif)
    return upright, upright_size(size, orientation, exif)


def _turned(image: Image.Image, exif: ExifRule) -> tuple[Image.Image, int]:
    """Turn a loaded image by a rule; return it and its stated orientation."""
    orientation = orientation_of(image)
    if exif == 'ignore' or orientation == 1:
        return image, orientation
    upright = image.transpose(_TURNS[orientation])
    if orientation > 4 and isinstance(upright.info.get('dpi'), tuple):  # x and y swap
        upright.info['dpi'] = upright.info['dpi'][::-1]
    return upright, orientation


def upright_size(size: tuple[int, int], orientation: int, exif: ExifRule) -> tuple[int, int]:
    """Return the size, in either order, of a stored image after a rule has turned it."""
    return size[::-1] if exif == 'apply' and orientation > 4 else size


def measure(source: ImageSource, role: str) -> tuple[tuple[int, int], int, str]:
    """Return stored size (height, width), orientation and Pillow mode of a complete image.

    The pixels are decoded as coarsely as the format allows: a JPEG at an eighth of its size, which
    takes less than half the time. The orientation is a number from 1 to 8, as in EXIF.

    Raises:
        DataError: See :func:`load_upright`.
    """
    with _reading(source, role) as file:
        if isinstance(file, Image.Image):
            size, image = file.size, file
        else:
            size, image = _load_file(file, least=(1, 1))
        return (size[1], size[0]), orientation_of(image), image.mode


def stated_pixels(path: str | Path) -> int | None:
    """Return how many pixels the header of an image states, without decoding them.

    None if the header cannot be read; the image itself may still be, without its metadata.
    """
    with (
        suppress(Exception),  # Pillow's plugins may raise anything on invalid fields
        open_regular(path) as file,
        Image.open(file, formats=image_formats()) as image,
    ):
        pixels: int = image.width * image.height
        return pixels
    return None


def orientation_of(image: Image.Image) -> int:
    """Return the stated orientation of an image, from 1 to 8; 1 if it is missing or invalid.

    See EXIF 2.32, tag 0x0112: 3 is upside down, 6 needs a clockwise turn by 90 degrees.
    """
    with suppress(Exception):  # broken metadata may raise anything
        tags = getattr(image, 'tag_v2', None)  # of a TIFF; getexif() would read its file again
        stated = (image.getexif() if tags is None else tags).get(ExifTags.Base.Orientation)
        if stated in _TURNS:
            return int(stated)
    return 1


def convert(image: Image.Image, mode: str, source: ImageSource, role: str) -> Image.Image:
    """Convert a loaded image to another Pillow mode, unless it already has that mode."""
    try:
        return image if image.mode == mode else image.convert(mode)
    except ValueError as error:  # unsupported conversion or broken transparency
        refuse(source, role, f'{image.mode} does not become {mode} ({error})', 'Save it as RGB')


def refuse(source: ImageSource, role: str, reason: str, remedy: str) -> NoReturn:
    """Raise ``DataError`` about an image."""
    raise DataError(f'Cannot read {role} {name_of(source)}: {reason}. {remedy}.')


def name_of(source: ImageSource) -> str:
    """Name an image in a message."""
    if isinstance(source, (str, os.PathLike)):
        return f"'{os.fspath(source)}'"
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f'of {len(source)} bytes'
    name = getattr(source, 'filename', '') or getattr(source, 'name', '')
    return f"'{name}'" if name else f'in a {type(source).__name__}'


def _decode(
    source: ImageSource, role: str, least: tuple[int, int] | None = None
) -> tuple[tuple[int, int], Image.Image]:
    """Return the stored size (width, height) of an image, and the image, loaded."""
    with _reading(source, role) as file:
        if isinstance(file, Image.Image):
            file.load()
            return file.size, file
        return _load_file(file, least)


@contextmanager
def _reading(source: ImageSource, role: str) -> Iterator[BinaryIO | Image.Image]:
    """Open a source, and convert all errors of opening and decoding to ``DataError``."""
    try:
        if isinstance(source, Image.Image):
            yield source
        elif isinstance(source, (str, os.PathLike)):
            with open_regular(source) as file:
                yield file
        elif isinstance(source, (bytes, bytearray, memoryview)):
            yield io.BytesIO(source)
        else:
            yield io.BytesIO(source.read())
    except FileNotFoundError:
        refuse(source, role, 'there is no such file', 'Correct the path')
    except (Image.DecompressionBombError, MemoryError):
        limit = f'{2 * Image.MAX_IMAGE_PIXELS:,} pixels' if Image.MAX_IMAGE_PIXELS else 'memory'
        refuse(
            source,
            role,
            f'it is larger than {limit}, the limit that guards against files made to fill memory',
            'Make it smaller, or raise PIL.Image.MAX_IMAGE_PIXELS in a program of yours',
        )
    except _NoImageError as error:
        refuse(source, role, error.reason, error.remedy)
    except Exception as error:  # Pillow's plugins may raise anything on invalid fields
        if isinstance(error, OSError) and error.errno is not None:  # from the system
            refuse(source, role, why(error), 'Correct the path or its permissions')
        reason = ' '.join(str(error).split()) or type(error).__name__
        refuse(source, role, f'the file is damaged or truncated ({reason})', 'Fetch it again')


def _load_file(
    file: BinaryIO, least: tuple[int, int] | None = None
) -> tuple[tuple[int, int], Image.Image]:
    """Load an image, if necessary without its metadata; return its stored size and the image."""
    try:
        return _load(file, least)
    except (Image.DecompressionBombError, MemoryError):
        raise
    except Exception as error:
        file.seek(0)
        for content in without_metadata(file):
            with suppress(Exception):
                return _load(io.BytesIO(content), least)
        if isinstance(error, UnidentifiedImageError):
            file.seek(0)
            raise _NoImageError(*_what_it_is(file.read(512))) from error
        raise


class _NoImageError(Exception):
    """A file that Pillow cannot identify: what it is, and what to do."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason, remedy)
        self.reason, self.remedy = reason, remedy


def _load(file: BinaryIO, least: tuple[int, int] | None) -> tuple[tuple[int, int], Image.Image]:
    """Load an image, if it is a JPEG at the smallest scale that is not below a size."""
    image = Image.open(file, formats=image_formats())
    if image.format == 'TIFF':
        _leave_as_stored(image)
    size = image.size
    if least is not None:
        image.draft('L' if least == (1, 1) else None, least)  # which changes image.size
    image.load()
    if image.mode == 'P' and image.palette is None:
        raise ValueError('its palette is missing')
    return size, image


def _leave_as_stored(image: Image.Image) -> None:
    """Keep Pillow from turning a TIFF while loading it.

    Pillow allocates the turned size for the pixels of the stored one, and reads further tags, any
    of which may be broken.
    """
    tags = image.tag_v2  # type: ignore[attr-defined]
    image._size = tags[ExifTags.Base.ImageWidth], tags[ExifTags.Base.ImageLength]
    image.load_end = lambda: None  # type: ignore[attr-defined]


def _what_it_is(start: bytes) -> tuple[str, str]:
    """Identify a file that Pillow cannot open by its first bytes, and say what to do."""
    for name, reason in LEFT_OUT.items():
        accept = Image.OPEN[name][1] if name in Image.OPEN else None
        if accept is not None and accept(start) is True:
            return f'it is {name}, which is left out, as {reason}', 'Save it as JPEG or PNG'
    if start[4:8] == b'ftyp' and start[8:12] in _HEIC_BRANDS:
        if 'HEIF' in Image.OPEN:
            return 'it is a HEIC file without an image, damaged or truncated', 'Fetch it again'
        reason, remedy = _INSTALL_HEIC.split('. ')
        return reason, remedy
    if start[:4] in (b'II*\0', b'MM\0*'):
        return (
            'it is a TIFF of a kind that Pillow does not read, such as colours in floating point',
            'Save it as 8-bit RGB',
        )
    if start.startswith(b'version https://git-lfs'):
        return 'it is a pointer of Git LFS, not the image', 'Run: git lfs pull'
    return 'it is not an image that Pillow can identify', 'Replace or remove it'
