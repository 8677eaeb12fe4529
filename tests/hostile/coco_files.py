"""Hostile files of COCO's JSON for whatever reads one: none may crash it, hang or show a traceback.

    python tests/hostile/coco_files.py            the whole corpus, with a table for each reader
    python tests/hostile/coco_files.py --part 10  every tenth file

What is counted is said in ``hostile_runs.py``.
"""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
import pickle
import random
import shutil
import socket
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hostile_runs import Corpus, Reader, command, main
from PIL import Image

from sod_plugins.data import DataError

Json = dict[str, Any]

SIZE = 40
SQUARE = [4, 5, 24, 5, 24, 25, 4, 25]
RUNS = {'size': [SIZE, SIZE], 'counts': [SIZE * 4 + 5, 20, *[20, 20] * 19, SIZE * 16 + 15]}

# What stands in the place of a field, as text of JSON.
WRONG = (
    *('null', 'true', '-1', '0', '1.5', '1e308', '-1e308', '1e999', 'NaN', '1' + '0' * 30),
    *('""', '"text"', '"\\u0000"', '"\\ud800"', '"7"', json.dumps('x' * 100_000)),
    *('[]', '[[]]', '{}', '[' * 500 + ']' * 500, '[1, "a", null, {}]', '[[1e400, 2, 3, 4, 5, 6]]'),
    *('"../../../../etc/passwd"', '"/dev/zero"', '"pipe"', '"."', '"=cmd()"', '"a\\\\..\\\\b"'),
)
FIELDS = {
    'images': ('id', 'file_name', 'height', 'width'),
    'annotations': (
        *('id', 'image_id', 'category_id', 'bbox', 'segmentation', 'area', 'iscrowd', 'ignore'),
        'score',
    ),
}


def good() -> Json:
    """Two images, three annotations that are truth and predictions at once."""
    images = [{'id': k, 'file_name': f'{k}.png', 'height': SIZE, 'width': SIZE} for k in (1, 2)]
    entry = {'category_id': 1, 'bbox': [4, 5, 20, 20], 'area': 400, 'iscrowd': 0, 'score': 0.5}
    shapes = ((1, [SQUARE]), (1, RUNS), (2, [SQUARE]))
    annotations = [
        {'id': number, 'image_id': image, 'segmentation': shape, **entry}
        for number, (image, shape) in enumerate(shapes, start=1)
    ]
    return {'images': images, 'annotations': annotations, 'categories': [{'id': 1, 'name': 'x'}]}


def corpus() -> Iterator[tuple[str, bytes]]:
    """Yield names and contents, the same ones in every run."""
    for number, content in enumerate(_wrong_fields()):
        yield f'field-{number:03d}', content
    for number, shape in enumerate(_segmentations()):
        coco = good()
        coco['annotations'][0]['segmentation'] = shape
        yield f'segmentation-{number:03d}', json.dumps(coco).encode()
    for number, (height, width) in enumerate(_sizes()):
        for kind, shape in (
            ('runs', {'size': [height, width], 'counts': [height * width]}),
            ('polygon', [SQUARE]),
        ):
            coco = good()
            coco['images'][0] |= {'height': height, 'width': width}
            coco['annotations'][0]['segmentation'] = shape
            yield f'size-{kind}-{number:02d}', json.dumps(coco).encode()
    for number, content in enumerate(_no_json()):
        yield f'bytes-{number:03d}', content
    yield from _damaged()


def _wrong_fields() -> Iterator[bytes]:
    """Put every wrong value in the place of every field, and leave each field out."""
    for part, names in FIELDS.items():
        for name in names:
            coco = good()
            coco[part][0].pop(name, None)
            yield json.dumps(coco).encode()
            for value in WRONG:
                coco[part][0][name] = '@'
                yield json.dumps(coco).replace('"@"', value).encode()
    for part in ('images', 'annotations', 'categories'):
        for value in WRONG:
            yield json.dumps(good() | {part: '@'}).replace('"@"', value).encode()
            yield json.dumps(good() | {part: ['@']}).replace('"@"', value).encode()


def _segmentations() -> Iterator[Any]:
    for far in (1e3, 1e5, 1e7, 1e9, 1e12, 1e18, 1e300, -1e5, -1e9, -1e300, 2**31, -(2**31), 2**63):
        yield [[4, 5, far, 5, 24, 25]]
        yield [[4, 5, 24, far, 24, 25]]
        yield [[far, far, far + 9, far, far, far + 9]]
    yield [[n for turn in range(20_000) for n in (0, turn % SIZE, SIZE * 2, turn % SIZE)]]
    yield [[n for turn in range(200_000) for n in (0, 0, SIZE, SIZE)]]
    yield [SQUARE] * 5_000
    yield [[1, 2]] * 50_000
    yield [[4, 5] * 100_000]
    yield [[str(n) for n in SQUARE], ['4', 'x', '5', '6', '7', '8']]
    yield [SQUARE, {'size': [SIZE, SIZE], 'counts': [1600]}]
    yield [RUNS]
    yield [[SQUARE, [SQUARE]]]
    yield {'points': SQUARE}
    pixels = SIZE * SIZE
    for counts in (
        *([], [pixels + 1], [pixels - 1], [-1, pixels + 1], [2**31], [2**32], [2**32 + pixels]),
        *([2**63], [2**64, -(2**64) + pixels], [10**40], [1e308, 1e308], [pixels, 0, 0, 0]),
        *([0] * 100_000 + [pixels], [0.5, pixels - 0.5], ['1600'], [None], [[pixels]], [True] * 9),
        *(None, 1600, {}, '', 'P', 'PPPP', '0', '~', '\x00', '\u20ac', 'o' * 100_000 + '0'),
        *('0' * 1_000_000, 'oooooooooooooo0', '?' * 50, 'K' * 50, '_' * 50 + '0', ' 1', 'PP\n'),
        *('OOOOOOOOOOO3', 'T_2' * 3, 'oPoPoPo0', 'n0' * 5_000),
    ):
        yield {'size': [SIZE, SIZE], 'counts': counts}
    for size in (
        *([SIZE], [SIZE, SIZE, 1], [0, 0], [-SIZE, -SIZE], [2**31, 2**31], [2**40, SIZE]),
        *(['40', '40'], [40.0, 40.0], {'h': 1}, None, '40x40', [[SIZE, SIZE]], [SIZE, None], 40),
    ):
        yield {'size': size, 'counts': RUNS['counts']}
        yield {'size': size, 'counts': '0'}


def _sizes() -> Iterator[tuple[int, int]]:
    yield from ((1, 1), (1, 2**30), (2**30, 1), (2**15, 2**15), (2**16, 2**16), (2**31, 1))
    yield from ((1, 2**31), (2**31, 2**31), (2**32, 1), (2**63, 2**63), (10**30, 1), (10**9, 2))


class _Executes:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ('touch "$HOSTILE_CANARY"',)


def _no_json() -> Iterator[bytes]:
    text = json.dumps(good())
    yield from (b'', b' ', b'\n', b'null', b'7', b'"text"', b'[]', b'{}', b'[[]]', b'[7]', b'[{}]')
    yield from (b'\x89PNG\r\n\x1a\n', b'%PDF-1.7', b'<!DOCTYPE html><html>', b'\xff\xd8\xff\xe0')
    yield from (b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n', b'\0' * 999)
    for depth in (1_000, 10_000, 100_000, 1_000_000):
        yield b'[' * depth
        yield b'[' * depth + b']' * depth
        yield b'{"images":' * depth
        yield b'{"images": [], "annotations": ' + b'[' * depth + b']' * depth + b'}'
    for encoding in ('utf-8-sig', 'utf-16', 'utf-16-le', 'utf-32', 'cp037', 'utf-7'):
        yield text.encode(encoding)
    for protocol in (0, 2, 4):
        yield pickle.dumps(_Executes(), protocol)
        yield pickle.dumps([_Executes(), good()], protocol)
    yield gzip.compress(text.encode(), mtime=0)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as file:
        file.writestr('a.json', text)
    yield packed.getvalue()
    yield from (
        text.replace('"', "'").encode(),
        text[:-1].encode() + b',}',
        b'//\n' + text.encode(),
    )
    yield from ((text + '\n' + text).encode(), (text + '\0').encode(), text.encode() + b'\xff')
    yield text.replace('"id": 1', '"id": ' + '9' * 5_000).encode()
    yield text.replace('"id": 1,', '"id": 1, "id": [], ').encode()
    yield text.replace('"images"', '"images": [], "images"').encode()
    repeated = good()
    repeated['images'] *= 2
    yield json.dumps(repeated).encode()
    repeated = good()
    repeated['annotations'] *= 100
    yield json.dumps(repeated).encode()
    yield json.dumps(good()['annotations']).encode()


def _damaged() -> Iterator[tuple[str, bytes]]:
    """Cut a good file off, and change single bytes and whole entries at random."""
    text = json.dumps(good()).encode()
    rng = random.Random(0)
    for end in range(1, len(text), len(text) // 40):
        yield f'cut-{end:04d}', text[:end]
    for number in range(100):
        changed = bytearray(text)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        yield f'flipped-{number:03d}', bytes(changed)
    for number in range(60):
        coco = copy.deepcopy(good())
        for _ in range(2):
            part = rng.choice(list(FIELDS))
            field, other = rng.choice(FIELDS[part]), rng.choice(FIELDS['annotations'])
            coco[part][0][field] = copy.deepcopy(coco['annotations'][1].get(other))
        yield f'mixed-{number:03d}', json.dumps(coco).encode()


def write_corpus(folder: Path, part: int) -> list[str]:
    """Write every ``part``-th file, and what is not a regular file, and return their names."""
    names = []
    for number, (name, content) in enumerate(corpus()):
        if number % part == 0:
            (folder / name).write_bytes(content)
            names.append(name)
    os.mkfifo(folder / 'pipe')
    (folder / 'endless').symlink_to('/dev/zero')
    (folder / 'folder').mkdir()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / 'socket'))
    with (folder / 'sparse').open('wb') as file:
        file.truncate(1 << 42)
    return [*names, 'pipe', 'endless', 'folder', 'socket', 'sparse', 'absent']


# Readers, each called with the hostile file and a folder of good ones.


def evaluate_as_truth(path: Path, folder: Path) -> None:
    from sod_plugins.metrics import evaluate_instances

    evaluate_instances(path, folder / 'predictions.json')
    evaluate_instances(path, folder / 'predictions.json', protocol='s4net')


def evaluate_as_truth_without_bad(path: Path, folder: Path) -> None:
    from sod_plugins.metrics import evaluate_instances

    evaluate_instances(path, folder / 'predictions.json', skip_bad=True)


def evaluate_as_predictions(path: Path, folder: Path) -> None:
    from sod_plugins.metrics import evaluate_instances

    evaluate_instances(folder / 'truth.json', path)


def evaluate_as_predictions_without_bad(path: Path, folder: Path) -> None:
    from sod_plugins.metrics import evaluate_instances

    evaluate_instances(folder / 'truth.json', path, skip_bad=True)


def evaluate_by_command(path: Path, folder: Path) -> None:
    for words in ([path, folder / 'truth.json'], [folder / 'predictions.json', path, '--skip-bad']):
        command('eval-instances', *words, '--json', folder / 'out/a.json')


def read_with_images(path: Path, folder: Path) -> None:
    from sod_plugins.data import Instances, annotations_by_image, occluded_images, read_instances

    coco = read_instances(path, folder / 'images', left_out=[])
    entries = annotations_by_image(coco)
    for image in coco['images']:
        if image['height'] * image['width'] < 10**6:
            size = image['height'], image['width']
            Instances.from_coco(entries[image['id']], size).to_coco()
    occluded_images(coco)
    read_instances(path, folder / 'images')


def label_for_segmentation(path: Path, folder: Path) -> None:
    from sod_plugins.data import write_pseudo_labels

    write_pseudo_labels(path, {'1': ['dog'], '2': ['cat']}, folder / 'out' / 'labels')


def go_on_with_predictions(path: Path, folder: Path) -> None:
    from sod_plugins.data.instance_file import InstanceFile

    for name in ('instances.json', 'instances.jsonl'):
        out = folder / 'out' / 'run'
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        (out / name).symlink_to(path) if name.endswith('json') else _copy(path, out / name)
        with InstanceFile(out / 'instances.json'):
            pass


READERS: tuple[Reader, ...] = (
    evaluate_as_truth,
    evaluate_as_truth_without_bad,
    evaluate_as_predictions,
    evaluate_as_predictions_without_bad,
    evaluate_by_command,
    read_with_images,
    label_for_segmentation,
    go_on_with_predictions,
)


# Readers with faults, to show that these are found.


def crashes_at_pipes(path: Path, folder: Path) -> None:
    if path.name == 'pipe':
        os.abort()


def hangs_at_folders(path: Path, folder: Path) -> None:
    if path.name == 'folder':
        (path.parent / 'pipe').read_bytes()


def loads_pickles(path: Path, folder: Path) -> None:
    if path.name.startswith('bytes') and path.read_bytes().startswith(b'\x80'):
        pickle.loads(path.read_bytes())


def expects_an_object(path: Path, folder: Path) -> None:
    if path.name.startswith('bytes') and path.read_bytes() == b'[7]':
        json.loads(path.read_bytes())['images']


FAULTY: tuple[Reader, ...] = (
    crashes_at_pipes,
    hangs_at_folders,
    loads_pickles,
    expects_an_object,
)


def _copy(path: Path, target: Path) -> None:
    if path.is_file() and path.stat().st_size < 10**8:
        shutil.copyfile(path, target)


def make_good_files(folder: Path) -> None:
    """Write truth, predictions and images for the readers."""
    (folder / 'out').mkdir()
    (folder / 'images').mkdir()
    for name in ('1', '2'):
        Image.new('RGB', (SIZE, SIZE)).save(folder / 'images' / f'{name}.png')
    os.mkfifo(folder / 'images' / 'pipe')
    (folder / 'truth.json').write_text(json.dumps(good()))
    (folder / 'predictions.json').write_text(json.dumps(good()['annotations']))


CORPUS = Corpus(write_corpus, make_good_files, READERS, FAULTY, sentences=(DataError, OSError))


if __name__ == '__main__':
    sys.exit(main(CORPUS, 'Give hostile files of COCO JSON to whatever reads one.'))
