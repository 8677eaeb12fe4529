"""Hostile and broken bodies for the service: none may crash it, hold it up or get a 500."""

from __future__ import annotations

import io
import random
import struct
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

BOUNDARY = 'x' * 20
FORM = f'multipart/form-data; boundary={BOUNDARY}'
FORMATS = ('PNG', 'JPEG', 'WEBP', 'GIF', 'TIFF', 'BMP', 'AVIF')
REFUSED = frozenset({400, 413, 415, 422})
ANY = REFUSED | {200}


class Body(NamedTuple):
    """A body, its type, and the statuses that it may be answered with."""

    name: str
    content: bytes
    kind: str = 'image/png'
    statuses: frozenset[int] = REFUSED


def bodies(seed: int = 0) -> Iterator[Body]:
    """Yield all bodies, the same ones for the same seed."""
    yield from bombs()
    yield from damaged(random.Random(seed))
    yield from other_files()
    yield from forms()


def photo(format: str, size: tuple[int, int] = (96, 64), **options: object) -> bytes:
    """Draw a small photo."""
    y, x = np.mgrid[: size[1], : size[0]]
    pixels = np.stack([x * 2 % 256, y * 3 % 256, (x ^ y) % 256], -1).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format, **options)
    return stream.getvalue()


def bombs() -> Iterator[Body]:
    """Small files that state, or become, large pictures."""
    for side in (40_000, 65_535, 2**31 - 1):
        yield Body(f'png-{side}', png_of(side, side))
        yield Body(f'bmp-{side}', photo('BMP')[:18] + struct.pack('<ii', side, side) + bytes(400))
    yield Body('gif-65535', b'GIF89a' + struct.pack('<HH', 65535, 65535) + photo('GIF')[10:])
    jpeg = photo('JPEG')
    place = jpeg.index(b'\xff\xc0') + 5
    yield Body('jpeg-65500', jpeg[:place] + struct.pack('>HH', 65500, 65500) + jpeg[place + 4 :])
    tiff = bytearray(photo('TIFF'))
    for tag in (256, 257):  # width and height
        place = tiff.index(struct.pack('<H', tag), 8)
        tiff[place + 8 : place + 12] = struct.pack('<I', 2**31)
    yield Body('tiff-2-31', bytes(tiff), statuses=ANY)
    yield Body('jpeg-scans', photo('JPEG') + b'\xff\xda\x00\x08' * 5_000)
    progressive = photo('JPEG', progressive=True)
    scan = progressive[progressive.index(b'\xff\xda') : -2]
    yield Body('jpeg-repeated-scans', progressive[:-2] + scan * 60 + b'\xff\xd9')
    text = zlib.compress(bytes(50_000_000))
    chunks = png_chunk(b'zTXt', b'a\0\0' + text) * 4
    yield Body('png-text-bomb', photo('PNG')[:33] + chunks + photo('PNG')[33:], statuses=ANY)
    icc = png_chunk(b'iCCP', b'a\0\0' + text)
    yield Body('png-profile-bomb', photo('PNG')[:33] + icc + photo('PNG')[33:], statuses=ANY)


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    check = struct.pack('>I', zlib.crc32(kind + content))
    return struct.pack('>I', len(content)) + kind + content + check


def png_of(width: int, height: int) -> bytes:
    """Return a PNG that states a size and holds little."""
    header = png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b'IDAT', zlib.compress(bytes(100_000)))
    return b'\x89PNG\r\n\x1a\n' + header + pixels + png_chunk(b'IEND', b'')


def damaged(rng: random.Random) -> Iterator[Body]:
    """Files of every format that is read: cut short, with bytes changed, put in, left out."""
    for format in FORMATS:
        whole = photo(format)
        for share in (0.01, 0.1, 0.3, 0.6, 0.95):
            yield Body(f'{format}-cut-{share}', whole[: int(share * len(whole))], statuses=ANY)
        for number in range(12):
            changed = bytearray(whole)
            for _ in range(rng.choice((1, 4, 40))):
                changed[rng.randrange(len(changed))] = rng.randrange(256)
            yield Body(f'{format}-changed-{number}', bytes(changed), statuses=ANY)
        for number in range(4):
            place = rng.randrange(2, len(whole))
            more = rng.randbytes(rng.choice((1, 3, 500)))
            yield Body(
                f'{format}-more-{number}', whole[:place] + more + whole[place:], statuses=ANY
            )
        yield Body(f'{format}-behind', whole + rng.randbytes(5_000), statuses=ANY)
        yield Body(f'{format}-before', b'\n' + whole)


def other_files() -> Iterator[Body]:
    """Files that are no photo, among them those of the other corpora beside this one."""
    yield Body('nothing', b'')
    yield Body('zeros', bytes(10_000))
    yield Body('noise', random.Random(1).randbytes(50_000))
    yield Body(
        'svg', b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    )
    yield Body('html', b'<!DOCTYPE html><script>alert(1)</script>')
    yield Body(
        'postscript', b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run\n'
    )
    yield Body('pdf', b'%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj')
    yield Body('zip', b'PK\3\4' + bytes(100))
    for format in ('PPM', 'TGA', 'ICO', 'PCX', 'SGI', 'JPEG2000', 'DDS'):
        yield Body(f'format-{format}', photo(format))
    with tempfile.TemporaryDirectory() as folder:
        for name, content in _neighbours(Path(folder)):
            yield Body(f'file-{name}', content)


def _neighbours(folder: Path) -> Iterator[tuple[str, bytes]]:
    import checkpoint_files
    import coco_files

    for part, corpus in (('checkpoints', checkpoint_files), ('coco', coco_files)):
        (folder / part).mkdir()
        corpus.write_corpus(folder / part, 25)
        for path in sorted((folder / part).rglob('*')):
            if path.is_file() and path.stat().st_size < 5_000_000:
                yield f'{part}-{path.name}', path.read_bytes()


def forms() -> Iterator[Body]:
    """Forms that are none, or hold what is not asked for."""
    whole = photo('PNG')
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; '.encode()
    end = f'\r\n--{BOUNDARY}--\r\n'.encode()
    file = start + b'name="file"; filename="a.png"\r\n\r\n' + whole

    def field(name: str, value: str) -> bytes:
        return start + f'name="{name}"\r\n\r\n{value}\r\n'.encode('utf-8', 'surrogatepass')

    good = frozenset({200})
    yield Body('form-good', file + end, FORM, good)
    yield Body('form-path', file.replace(b'a.png', b'../../../etc/passwd\0') + end, FORM, ANY)
    yield Body('form-cut', file[:200], FORM)
    yield Body('form-without-end', file, FORM, ANY)
    yield Body('form-no-file', field('output', 'map') + end, FORM)
    yield Body('form-text-as-file', field('file', 'x' * 1000) + end, FORM)
    yield Body(
        'form-many-fields', b''.join(field(f'f{n}', '1') for n in range(500)) + file + end, FORM
    )
    yield Body('form-many-files', (file + b'\r\n') * 40 + end, FORM)
    yield Body('form-large-field', field('output', 'x' * 200_000) + file + end, FORM)
    yield Body('form-no-name', start + b'filename="a"\r\n\r\nx' + end, FORM)
    yield Body(
        'form-long-header', start + b'name="' + b'a' * 100_000 + b'"\r\n\r\nx' + end, FORM, ANY
    )
    yield Body(
        'form-many-headers',
        start + b'name="file"\r\n' + b'X-A: b\r\n' * 5000 + b'\r\nx' + end,
        FORM,
    )
    yield Body('form-other-boundary', file + end, 'multipart/form-data; boundary=y')
    yield Body('form-no-boundary', file + end, 'multipart/form-data')
    yield Body('form-long-boundary', file + end, f'multipart/form-data; boundary={"z" * 5000}')
    for name, value in (
        ('output', '\0'),
        ('output', '../map'),
        ('threshold', 'nan'),
        ('threshold', '1e999'),
        ('threshold', '-1'),
        ('grow', '9' * 5000),
        ('grow', '-65'),
        ('quality', '0'),
        ('background', '/etc/passwd'),
        ('background', 'rgb(' + '9' * 50),
        ('background', 'hsl(1e999,1%,1%)'),
        ('format', 'eps'),
        ('crop', 'maybe'),
        ('min_score', 'inf'),
        ('segmentation', 'x'),
        ('unheard', 'of'),
        ('output', '\ud800'),
    ):
        content = field('output', 'cutout') * (name != 'output') + field(name, value) + file + end
        yield Body(f'form-{name}-{value[:20]!r}', content, FORM)
