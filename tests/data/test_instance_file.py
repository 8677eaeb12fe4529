from __future__ import annotations

import errno
import json
import os

import numpy as np
import pytest

from sod_plugins.data import DataError, Instances, read_instances
from sod_plugins.data.instance_file import InstanceFile


def found(score=0.5, count=1):
    boxes = np.tile(np.array([1, 2, 5, 6], np.float32), (count, 1))
    masks = np.zeros((count, 8, 9), bool)
    masks[:, 2:6, 1:5] = True
    return Instances(boxes, masks, np.full(count, score, np.float32), np.zeros(count, np.int64))


def write(path, scores, **options):
    with InstanceFile(path, **options) as file:
        for name, score in scores.items():
            file.add(name, found(score))


def scores(path):
    coco = read_instances(path, predicted=True)
    names = {image['id']: image['file_name'] for image in coco['images']}
    return {names[a['image_id']]: a['score'] for a in coco['annotations']}


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'new' / 'instances.json'


def kill(path, scores, **options):
    """Add images as a process does that is killed before it closes the file."""
    file = InstanceFile(path, **options)
    for name, score in scores.items():
        file.add(name, found(score))
    os.close(file._journal._file)


def test_images_join_the_file_when_it_is_closed(path):
    with InstanceFile(path) as file:
        file.add('a.png', found(0.25, count=2))
        assert 'a.png' in file and 'b.png' not in file
        assert not path.exists()
        (line,) = path.with_suffix('.jsonl').read_text().splitlines()
        assert json.loads(line)['file_name'] == 'a.png'
    assert [p.name for p in path.parent.iterdir()] == ['instances.json']
    write(path, {'b.png': 0.75})
    coco = json.loads(path.read_text())
    assert [(i['id'], i['file_name']) for i in coco['images']] == [(0, 'a.png'), (1, 'b.png')]
    assert [(a['id'], a['image_id']) for a in coco['annotations']] == [(1, 0), (2, 0), (3, 1)]
    write(path, {'a.png': 1.0})  # what the file had of the image is replaced
    assert scores(path) == {'b.png': 0.75, 'a.png': 1.0}


def test_an_interruption_writes_what_there_is(path):
    with pytest.raises(KeyboardInterrupt), InstanceFile(path) as file:
        file.add('a.png', found())
        raise KeyboardInterrupt
    assert scores(path) == {'a.png': 0.5}


def test_a_run_goes_on_behind_one_that_was_killed(path):
    write(path, {'a.png': 0.5})
    kill(path, {'b.png': 0.25, 'a.png': 0.75})
    assert scores(path) == {'a.png': 0.5}
    with path.with_suffix('.jsonl').open('a') as file:
        file.write('{"file_name": "c.png", "hei')  # the line that the kill cut off
    with InstanceFile(path) as file:
        assert 'a.png' in file and 'b.png' in file and 'c.png' not in file
        file.add('c.png', found(1.0))
    assert scores(path) == {'b.png': 0.25, 'a.png': 0.75, 'c.png': 1.0}
    assert not path.with_suffix('.jsonl').exists()


def test_lines_alone_join_the_file_too(path):
    kill(path, {'a.png': 0.5})
    write(path, {})
    assert scores(path) == {'a.png': 0.5}


def test_overwriting_forgets_what_was_there_from_the_first_image_on(path):
    write(path, {'a.png': 0.5})
    kill(path, {'b.png': 0.5})
    write(path, {}, overwrite=True)  # no image could be read: all stays
    assert scores(path) == {'a.png': 0.5} and path.with_suffix('.jsonl').exists()
    kill(path, {'c.png': 0.5}, overwrite=True)
    with InstanceFile(path) as file:  # the run that goes on has forgotten the same
        assert 'c.png' in file and 'a.png' not in file and 'b.png' not in file
        file.add('d.png', found())
    assert scores(path) == {'c.png': 0.5, 'd.png': 0.5}


def test_two_runs_do_not_share_a_file(path):
    with InstanceFile(path) as file:
        file.add('a.png', found())
        with pytest.raises(OSError, match='another process is writing'):
            InstanceFile(path)
    assert scores(path) == {'a.png': 0.5}


def test_a_full_disk_at_the_end_loses_nothing(path, monkeypatch):
    write(path, {'a.png': 0.5})

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(OSError, match='cannot write'):
        patch.setattr('os.fsync', full)
        write(path, {'b.png': 0.25})
    assert scores(path) == {'a.png': 0.5}
    write(path, {})
    assert scores(path) == {'a.png': 0.5, 'b.png': 0.25}


@pytest.mark.parametrize('line', ['[1]', '{"file_name": 3}', '{"file_name": "a"}', 'text'])
def test_a_foreign_file_of_that_name_is_left_alone(path, line):
    write(path, {'a.png': 0.5})
    path.with_suffix('.jsonl').write_text(f'{line}\nmore')
    for _ in range(2):
        with pytest.raises(DataError, match=r"instances\.jsonl', line 1, is"):
            InstanceFile(path)
    assert path.with_suffix('.jsonl').read_text() == f'{line}\nmore'


def test_the_work_for_an_image_does_not_grow_with_their_number(path, monkeypatch):
    """Bytes written while 10,000 images are added, and to join them, are proportional to them."""
    written = {'lines': 0}
    write_to = os.write

    def count(file, data):
        written['lines'] += len(data)
        return write_to(file, data)

    monkeypatch.setattr('os.write', count)
    one = found()
    per_image = []
    for total in (1000, 10_000):
        written['lines'] = 0
        target = path.parent / f'{total}.json'
        with InstanceFile(target) as file:
            for number in range(total):
                file.add(f'{number:05d}.png', one)
        per_image.append((written['lines'] + target.stat().st_size) / total)
    assert per_image[1] < 1.02 * per_image[0]
    assert len(read_instances(target, predicted=True)['annotations']) == 10_000
