"""Checks an upload before any pixel is decoded."""

from __future__ import annotations

import io
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError

from sod_plugins.data.decoding import image_formats
from sod_plugins.data.metadata import without_metadata
from sod_plugins.serve.refusals import Refusal

# Formats of cameras, phones and browsers. Each further parser would enlarge the attack surface.
_TAKEN = ('JPEG', 'PNG', 'WEBP', 'AVIF', 'HEIF', 'GIF', 'TIFF', 'BMP', 'MPO')
# A progressive JPEG has about ten; each takes as long as a whole baseline JPEG.
_MOST_SCANS = 100


class Header(NamedTuple):
    """The format and the size in pixels that an image states."""

    format: str
    width: int
    height: int

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.width * self.height


@cache
def taken_formats() -> tuple[str, ...]:
    """Return the formats that the service reads in this installation."""
    return tuple(name for name in image_formats() if name in _TAKEN)


def probe(image: bytes, max_pixels: int) -> Header:
    """Read the header of an image.

    Raises:
        Refusal: 422: the file is empty or damaged; 415: it has another format, or is no image; 413:
            it has too many pixels.
    """
    if not image:
        raise Refusal(422, 'The image is empty. Send the bytes of a file.')
    header: Header | None
    try:
        header = _read(image)
    except Image.DecompressionBombError:
        raise _too_large(max_pixels) from None
    except UnidentifiedImageError:
        header = _without_metadata(image)
        if header is None:
            raise Refusal(
                415, f'This is no image of {", ".join(taken_formats())}. Send one of these.'
            ) from None
    except Exception as error:  # Pillow's plugins may raise anything on invalid fields
        header = _without_metadata(image)
        if header is None:
            reason = ' '.join(str(error).split()) or type(error).__name__
            raise Refusal(422, f'The image is damaged or truncated ({reason}).') from None
    if header.pixels > max_pixels:
        raise _too_large(max_pixels, header)
    if header.format in ('JPEG', 'MPO') and image.count(b'\xff\xda') > _MOST_SCANS:
        raise Refusal(422, f'The JPEG has more than {_MOST_SCANS} scans. Save it again.')
    return header


def _read(image: bytes) -> Header:
    with Image.open(io.BytesIO(image), formats=taken_formats()) as opened:
        return Header(opened.format or '', *opened.size)


def _without_metadata(image: bytes) -> Header | None:
    with suppress(Exception):
        for content in without_metadata(io.BytesIO(image)):
            with suppress(Exception):
                return _read(content)
    return None


def _too_large(max_pixels: int, header: Header | None = None) -> Refusal:
    size = '' if header is None else f' {header.width} x {header.height},'
    return Refusal(413, f'The image has{size} more than {max_pixels:,} pixels. Make it smaller.')
