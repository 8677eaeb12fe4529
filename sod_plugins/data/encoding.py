"""Encode the images that this package makes, in every format that it writes, and recognise them."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from sod_plugins._common.choices import require_choice
from sod_plugins._common.reading import open_regular
from sod_plugins.data.png import MARK, SIGNATURE, encode_png

_MAKER = 'sod_plugins'


class FileFormat(NamedTuple):
    """A file format for images.

    Attributes:
        suffix: File extension.
        media_type: Media type in HTTP.
        alpha: Whether it supports alpha.
        exact: Whether it can store every pixel exactly.
        quality: Default quality for Pillow, up to 100.
    """

    suffix: str
    media_type: str
    alpha: bool
    exact: bool
    quality: int


FORMATS = {
    'png': FileFormat('.png', 'image/png', True, True, 100),
    'webp': FileFormat('.webp', 'image/webp', True, True, 90),
    'jpeg': FileFormat('.jpg', 'image/jpeg', False, False, 90),
    'avif': FileFormat('.avif', 'image/avif', True, False, 75),
}


def encode_image(
    pixels: NDArray[np.uint8],
    format: str = 'png',
    *,
    quality: int | None = None,
    exact: bool = False,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> bytes:
    """Encode pixels as a file that records this package as its creator.

    Args:
        pixels: Grey ``(H, W)``, RGB ``(H, W, 3)`` or RGBA ``(H, W, 4)``.
        format: ``'png'``, ``'webp'``, ``'jpeg'`` or ``'avif'``.
        quality: From 1 to 100, for lossy formats; by default that of the format.
        exact: Whether to store every pixel exactly.
        icc_profile: The colour profile to store.
        dpi: Pixels per inch along x and y to store, if the format supports it (PNG and JPEG).

    Raises:
        ValueError: The format is unknown, not supported by this Pillow, or cannot store the image.
    """
    properties = FORMATS[require_choice('format', format, FORMATS)]
    require_format(format)
    if exact and not properties.exact:
        raise ValueError(f'{format} changes pixels. Take png or webp.')
    if pixels.ndim == 3 and pixels.shape[2] == 4 and not properties.alpha:
        raise ValueError(f'{format} holds no transparency. Give a background, or take png.')
    if format == 'png':
        return encode_png(pixels, icc_profile=icc_profile, dpi=dpi, mark=True)
    options: dict[str, Any] = {'exif': _mark(), 'quality': quality or properties.quality}
    if icc_profile is not None:
        options['icc_profile'] = icc_profile
    if dpi is not None:
        options['dpi'] = dpi
    if format == 'webp' and exact:
        options.update(lossless=True, exact=True, quality=50)
    stream = io.BytesIO()
    try:
        Image.fromarray(pixels).save(stream, format=format, **options)
    except (ValueError, OSError, RuntimeError) as error:  # for example, too large for the format
        raise ValueError(f'The image cannot be saved as {format}: {error}. Take png.') from error
    return stream.getvalue()


def require_format(format: str) -> None:
    """Check that this Pillow can write a format.

    Raises:
        ValueError: It cannot write the format.
    """
    Image.init()
    if format.upper() not in Image.SAVE:
        raise ValueError(f'This Pillow is built without {format}. Take png, or install its wheel.')


def is_marked(path: str | Path) -> bool:
    """Return whether a file is an image that records this package as its creator."""
    with suppress(OSError, struct.error, ValueError, SyntaxError), open_regular(path) as file:
        if file.read(len(SIGNATURE)) == SIGNATURE:
            return _is_marked_png(file)
        file.seek(0)
        with Image.open(file, formats=('JPEG', 'WEBP', 'AVIF')) as image:
            return bool(image.getexif().get(ExifTags.Base.Software) == _MAKER)
    return False


def _is_marked_png(file: Any) -> bool:
    """Return whether a PNG, read up to the end of its signature, records this package."""
    kind, end = b'', len(SIGNATURE)
    while kind != b'IDAT':  # the mark precedes the pixels
        length, kind = struct.unpack('>I4s', file.read(8))
        if kind == b'tEXt' and file.read(min(length, len(MARK) + 1)) == MARK:
            return True
        end += 12 + length
        file.seek(end)
    return False


def _mark() -> Image.Exif:
    tags = Image.Exif()
    tags[ExifTags.Base.Software] = _MAKER
    return tags
