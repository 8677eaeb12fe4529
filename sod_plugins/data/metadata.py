"""Strip the metadata of image files, for decoders that fail on broken metadata."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

_PNG = b'\x89PNG\r\n\x1a\n'
# Besides the critical chunks, whose names start with a capital letter: transparency is pixel data.
_PNG_PIXELS = (b'tRNS',)
_PNG_EXIF = b'eXIf'
_JPEG_APP0, _JPEG_EXIF, _JPEG_ADOBE, _JPEG_LAST_APP, _JPEG_COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_JPEG_SCAN = 0xDA
_JPEG_ADOBE_LENGTH = 14
_WEBP_METADATA = (b'ICCP', b'EXIF', b'XMP ')
_WEBP_FLAGS_OF_PIXELS = 0b00010010  # alpha and animation
_WEBP_FLAG_OF_EXIF = 0b00001000
_TIFF_ORIENTATION = 274
# Size, samples, compression, strips or tiles, predictor, palette, alpha, and the tags of fax,
# JPEG and YCbCr.
_TIFF_PIXELS = frozenset(
    (
        *(254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323),
        *(324, 325, 332, 338, 339, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531),
        532,
    )
)


def without_metadata(file: BinaryIO) -> Iterator[bytes]:
    """Yield a PNG, JPEG, WebP or TIFF file with no metadata but orientation, then with none.

    Yields nothing for other formats, or if the structure of the file cannot be parsed.
    """
    start = file.read(16)
    if start.startswith(_PNG):
        rebuild = _png_without_metadata
    elif start.startswith(b'\xff\xd8'):
        rebuild = _jpeg_without_metadata
    elif start.startswith(b'RIFF') and start[8:12] == b'WEBP':
        rebuild = _webp_without_metadata
    elif start[:4] in (b'II*\0', b'MM\0*'):
        rebuild = _tiff_without_metadata
    else:
        return
    content = start + file.read()
    for keeps_exif in (True, False):
        try:
            yield rebuild(content, keeps_exif)
        except (struct.error, IndexError):
            return


def _png_without_metadata(content: bytes, keeps_exif: bool) -> bytes:
    """Keep the chunks that define the pixels, and an intact EXIF chunk."""
    parts, position = [_PNG], len(_PNG)
    while position < len(content):
        (length,) = struct.unpack_from('>I', content, position)
        kind = content[position + 4 : position + 8]
        end = position + 12 + length
        critical = kind[:1].isupper() or kind in _PNG_PIXELS
        if critical or (keeps_exif and kind == _PNG_EXIF and _is_whole(content, position, end)):
            parts.append(content[position:end])
        position = end
    return b''.join(parts)


def _is_whole(content: bytes, start: int, end: int) -> bool:
    checksum: int = struct.unpack_from('>I', content, end - 4)[0]
    return zlib.crc32(content[start + 4 : end - 4]) == checksum


def _jpeg_without_metadata(content: bytes, keeps_exif: bool) -> bytes:
    """Keep the tables, frames and scans, and Adobe's marker of their colour space."""
    parts, position = [content[:2]], 2
    while position < len(content):
        if content[position] != 0xFF:
            position += 1  # stray bytes between segments
            continue
        marker = content[position + 1]
        if marker in (0xFF, 0x00):
            position += 1
            continue
        (length,) = struct.unpack_from('>H', content, position + 2)
        end = position + 2 + length
        metadata = _JPEG_APP0 <= marker <= _JPEG_LAST_APP or marker == _JPEG_COMMENT
        kept = {_JPEG_APP0, _JPEG_EXIF} if keeps_exif else set()
        if marker == _JPEG_SCAN:  # everything from here on is pixel data
            return b''.join([*parts, content[position:]])
        is_adobe = marker == _JPEG_ADOBE and length == _JPEG_ADOBE_LENGTH
        if not metadata or is_adobe or marker in kept:
            parts.append(content[position:end])
        position = end
    return b''.join(parts)


def _webp_without_metadata(content: bytes, keeps_exif: bool) -> bytes:
    """Keep the chunks that define the pixels, and clear the flags of the others."""
    parts, position = [], 12
    dropped = [kind for kind in _WEBP_METADATA if not (keeps_exif and kind == b'EXIF')]
    flags = _WEBP_FLAGS_OF_PIXELS | (_WEBP_FLAG_OF_EXIF if keeps_exif else 0)
    while position + 8 <= len(content):
        kind = content[position : position + 4]
        (length,) = struct.unpack_from('<I', content, position + 4)
        end = position + 8 + length + length % 2
        chunk = content[position:end]
        if kind == b'VP8X':
            chunk = chunk[:8] + bytes([chunk[8] & flags]) + chunk[9:]
        if kind not in dropped:
            parts.append(chunk)
        position = end
    body = b'WEBP' + b''.join(parts)
    return b'RIFF' + struct.pack('<I', len(body)) + body


def _tiff_without_metadata(content: bytes, keeps_exif: bool) -> bytes:
    """Append a new directory of the first image that holds only the tags of the pixels."""
    order = '<' if content.startswith(b'II') else '>'
    kept = _TIFF_PIXELS | {_TIFF_ORIENTATION} if keeps_exif else _TIFF_PIXELS
    (start,) = struct.unpack_from(f'{order}I', content, 4)
    (count,) = struct.unpack_from(f'{order}H', content, start)
    entries = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    entries = [entry for entry in entries if struct.unpack(f'{order}HHII', entry)[0] in kept]
    header = content[:4] + struct.pack(f'{order}I', len(content))
    directory = struct.pack(f'{order}H', len(entries)) + b''.join(entries) + bytes(4)
    return header + content[8:] + directory
