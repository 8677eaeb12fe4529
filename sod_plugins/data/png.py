"""Pictures that this package makes, as PNG: in memory or as files."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sod_plugins._common.reading import open_regular
from sod_plugins._common.writing import writing

_SIGNATURE = b'\x89PNG\r\n\x1a\n'
_MARK = ('Software', 'sod_plugins')
_MARK_CHUNK = b'Software\0sod_plugins'


def save_png(
    path: str | Path,
    pixels: NDArray[np.uint8],
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    mark: bool = False,
) -> None:
    """Save pixels ``(H, W)``, ``(H, W, 3)`` or ``(H, W, 4)`` as PNG, whole or not at all.

    Args:
        path: The file; its folder is made.
        pixels: Grey, RGB or RGBA.
        icc_profile: The colour profile to store.
        dpi: Pixels an inch along x and y to store.
        mark: Whether to name this package as the maker, which :func:`is_marked` sees.

    Raises:
        OSError: It cannot be written.
    """
    with writing(path) as file:
        _save(file, pixels, icc_profile, dpi, mark)


def encode_png(
    pixels: NDArray[np.uint8],
    *,
    icc_profile: bytes | None = None,
    dpi: tuple[float, float] | None = None,
    mark: bool = False,
) -> bytes:
    """Return the PNG that :func:`save_png` writes."""
    stream = io.BytesIO()
    _save(stream, pixels, icc_profile, dpi, mark)
    return stream.getvalue()


def is_marked(path: str | Path) -> bool:
    """Whether a file is a PNG that names this package as its maker."""
    with suppress(OSError, struct.error), open_regular(path) as file:
        if file.read(len(_SIGNATURE)) != _SIGNATURE:
            return False
        kind, end = b'', len(_SIGNATURE)
        while kind != b'IDAT':  # the mark stands before the pixels
            length, kind = struct.unpack('>I4s', file.read(8))
            if kind == b'tEXt' and file.read(min(length, len(_MARK_CHUNK) + 1)) == _MARK_CHUNK:
                return True
            end += 12 + length
            file.seek(end)
    return False


def _save(
    file: BinaryIO,
    pixels: NDArray[np.uint8],
    icc_profile: bytes | None,
    dpi: tuple[float, float] | None,
    mark: bool,
) -> None:
    options: dict[str, Any] = {}
    if icc_profile is not None:
        options['icc_profile'] = icc_profile
    if dpi is not None:
        options['dpi'] = dpi
    if mark:
        options['pnginfo'] = PngInfo()
        options['pnginfo'].add_text(*_MARK)
    Image.fromarray(pixels).save(file, format='PNG', **options)
