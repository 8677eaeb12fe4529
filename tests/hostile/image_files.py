"""Hostile images and masks for every command that reads them: none may crash, hang or run code.

    python tests/hostile/image_files.py            the whole corpus, with a table
    python tests/hostile/image_files.py --part 10  every tenth file

What is counted is said in ``hostile_runs.py``.
"""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import struct
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hostile_runs import Corpus, Reader, clean, command, main
from PIL import Image

SIZE = (40, 30)  # width, height
EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 40 30
(canary) (w) file closefile
showpage
"""


class _Executes:
    def __reduce__(self) -> Any:
        return os.system, ('touch "$HOSTILE_CANARY"',)


def encoded(mode: str, kind: str, **options: Any) -> bytes:
    """Return a good image of noise in a format."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (SIZE[1], SIZE[0], 4), dtype=np.uint8)
    image = Image.fromarray(pixels[..., 0] if mode in 'FI' else pixels[..., :3]).convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Return a part of a PNG."""
    checksum = zlib.crc32(kind + content)
    return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', checksum)


def png(width: int, height: int, packed: bytes, bits: int = 8, colour: int = 2) -> bytes:
    """Return a PNG whose header says anything."""
    header = struct.pack('>IIBBBBB', width, height, bits, colour, 0, 0, 0)
    parts = [(b'IHDR', header), (b'IDAT', packed), (b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(png_chunk(*part) for part in parts)


GOOD = {
    'png': encoded('RGB', 'PNG'),
    'jpg': encoded('RGB', 'JPEG'),
    'gif': encoded('P', 'GIF'),
    'bmp': encoded('RGB', 'BMP'),
    'tiff': encoded('RGB', 'TIFF'),
    'webp': encoded('RGB', 'WEBP'),
    'grey.png': encoded('L', 'PNG'),
    'alpha.png': encoded('RGBA', 'PNG'),
    'cmyk.jpg': encoded('CMYK', 'JPEG'),
    'float.tiff': encoded('F', 'TIFF'),
}


def corpus() -> Iterator[tuple[str, bytes]]:
    """Yield names and contents, the same ones in every run."""
    rng = random.Random(0)
    for name, content in GOOD.items():
        stem, suffix = name.split('.') if '.' in name else ('rgb', name)
        yield f'good-{stem}.{suffix}', content
        for part in range(1, 8):
            yield f'cut-{stem}-{part}.{suffix}', content[: len(content) * part // 8]
        for number in range(8):
            changed = bytearray(content)
            for _ in range(rng.randint(1, 6)):
                changed[rng.randrange(min(len(changed), 400))] = rng.randrange(256)
            yield f'flipped-{stem}-{number}.{suffix}', bytes(changed)
    for suffix in ('png', 'jpg', 'tiff', 'webp', 'gif', 'bmp', 'tga', 'ico', 'jp2', 'avif'):
        yield f'eps.{suffix}', EPS
        yield f'pickle.{suffix}', pickle.dumps(_Executes(), 2)
    rows = zlib.compress(b'\0' * (1 + 3 * SIZE[0]) * SIZE[1])
    for index, (width, height) in enumerate(
        ((0, 0), (1, 0), (2**31 - 1, 2**31 - 1), (2**31 - 1, 1), (60_000, 60_000), (1, 2**30))
    ):
        yield f'size-{index}.png', png(width, height, rows)
    yield 'bomb-idat.png', png(*SIZE, zlib.compress(b'\0' * (1 << 28), 9))
    yield 'bomb-pixels.png', png(30_000, 30_000, zlib.compress(b'\0' * (1 << 20), 9), 1, 0)
    for bits, colour in ((3, 2), (16, 9), (1, 2), (8, 3)):
        yield f'header-{bits}-{colour}.png', png(*SIZE, rows, bits, colour)
    text = b'Comment\0\0' + zlib.compress(b'x' * (1 << 27), 9)
    bomb = GOOD['png'][:33] + png_chunk(b'zTXt', text) + GOOD['png'][33:]
    yield 'bomb-text.png', bomb
    profile = b'icc\0\0' + zlib.compress(b'x' * (1 << 27), 9)
    yield 'bomb-profile.png', GOOD['png'][:33] + png_chunk(b'iCCP', profile) + GOOD['png'][33:]
    yield 'frames.gif', GOOD['gif'][:-1] + GOOD['gif'][13:-1] * 2_000 + b';'
    for index, tags in enumerate(
        (b'', b'II*\0\x08\0\0\0\xff\xff' + b'\xff' * 99, b'MM\0*' + b'\xff' * 99, b'\0' * 60_000)
    ):
        yield f'exif-{index}.jpg', encoded('RGB', 'JPEG', exif=b'Exif\0\0' + tags)
    head = b'II*\0'
    for index, offset in enumerate((4, 8, 2**31, 2**32 - 1)):
        entry = struct.pack('<HHHII', 1, 256, 4, 2**32 - 1, 2**31)
        yield f'directory-{index}.tiff', head + struct.pack('<I', offset) + entry + b'\0' * 8
    for suffix, content in {
        'svg': b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        'wmf': b'\xd7\xcd\xc6\x9a' + b'\0' * 99,
        'emf': b'\x01\0\0\0' + b'\0' * 99,
        'grib': b'GRIB' + b'\0' * 99,
        'hdf5': b'\x89HDF\r\n\x1a\n' + b'\0' * 99,
        'pdf': b'%PDF-1.7\n' + b'\0' * 99,
        'fli': b'\0' * 4 + b'\x11\xaf' + b'\xff' * 200,
        'page': b'<!DOCTYPE html>',
        'empty': b'',
        'zeros': b'\0' * 999,
    }.items():
        yield f'as-{suffix}.png', content


def write_corpus(folder: Path, part: int) -> list[str]:
    """Write every ``part``-th file, and what is no regular file, and return their names."""
    names = []
    for name, content in [*corpus()][::part]:
        names.append(clean(name))
        (folder / names[-1]).write_bytes(content)
    os.mkfifo(folder / 'pipe.png')
    (folder / 'endless.png').symlink_to('/dev/zero')
    (folder / 'folder.png').mkdir()
    (folder / 'sparse.png').touch()
    os.truncate(folder / 'sparse.png', 1 << 40)
    return [*names, 'pipe.png', 'endless.png', 'folder.png', 'sparse.png', 'absent.png']


def put(path: Path, folder: Path, role: str) -> Path:
    """Return a data set of one good pair, in which a link to the hostile file has a place too."""
    data = folder / 'out' / 'data'
    shutil.rmtree(folder / 'out', ignore_errors=True)
    shutil.copytree(folder / 'data', data)
    for name, content in (('images', GOOD['png']), ('masks', GOOD['grey.png'])):
        target = data / name / f'hostile{path.suffix if name == role else ".png"}'
        if name == role:
            target.symlink_to(path)
        else:
            target.write_bytes(content)
    return data


def predict(path: Path, folder: Path) -> None:
    pictures = ('--cutout', '--overlay', '--backend', 'torch')
    shutil.rmtree(folder / 'out', ignore_errors=True)
    network = ('--checkpoint', folder / 'network.pth')
    command('predict', path, '-o', folder / 'out', *network, *pictures)


def predict_folder(path: Path, folder: Path) -> None:
    data = put(path, folder, 'images')
    command('predict', data / 'images', '-o', data / 'maps', '--checkpoint', folder / 'network.pth')


def predict_bytes(path: Path, folder: Path) -> None:
    from sod_plugins.data import decode_image

    if path.is_file() and path.stat().st_size < 1 << 30:
        decode_image(path.read_bytes())


def check_images(path: Path, folder: Path) -> None:
    command('data', 'check', put(path, folder, 'images'))


def check_masks(path: Path, folder: Path) -> None:
    command('data', 'check', put(path, folder, 'masks'))


def evaluate_predictions(path: Path, folder: Path) -> None:
    data = put(path, folder, 'masks')
    command('eval', data / 'masks', folder / 'data/masks')
    command('eval', data / 'masks', data / 'masks')


def load_for_training(path: Path, folder: Path) -> None:
    from sod_plugins.data import find_pairs, pair_problem, read_image, read_mask

    for role in ('images', 'masks'):
        for pair in find_pairs(put(path, folder, role)):
            if pair_problem(pair) is None and pair.mask is not None:
                read_image(pair.image), read_mask(pair.mask)


def label_instances(path: Path, folder: Path) -> None:
    data = put(path, folder, 'masks')
    # The former name of --label-format, which older versions have.
    command('data', 'instances', data, '-o', folder / 'out/instances.json', '--coding', 'numbers')


READERS: tuple[Reader, ...] = (
    predict,
    predict_folder,
    predict_bytes,
    check_images,
    check_masks,
    evaluate_predictions,
    load_for_training,
    label_instances,
)


def make_good_files(folder: Path) -> None:
    """Write a network and a data set of one pair, and a program ``gs`` that tells of its start."""
    import torch

    from sod_plugins.data import generate_scenes
    from sod_plugins.networks import CSNet, Preprocessing, save_network

    torch.manual_seed(0)
    network = CSNet(width=0.4, stage_blocks=(1, 1, 1, 1), weight_scale=1.0)
    save_network(folder / 'network.pth', network, Preprocessing(size=(32, 32)))
    generate_scenes(folder / 'data', 1, size=(32, 40))
    (folder / 'bin').mkdir()
    (folder / 'bin/gs').write_text('#!/bin/sh\ntouch "$HOSTILE_CANARY"\n')
    (folder / 'bin/gs').chmod(0o755)
    os.environ['PATH'] = f'{folder / "bin"}{os.pathsep}{os.environ["PATH"]}'


CORPUS = Corpus(write_corpus, make_good_files, READERS, memory=8 << 30)


if __name__ == '__main__':
    sys.exit(main(CORPUS, 'Give hostile images and masks to whatever reads one.'))
