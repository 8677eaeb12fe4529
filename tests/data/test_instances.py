from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, annotations_by_image, read_instances, split_instances
from sod_plugins.data.instances import add_image, new_coco


def square(top, left, side):
    mask = np.zeros((20, 30), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.fixture
def coco():
    """Two instances in a.png, one in b.png, none in c.png."""
    made = new_coco()
    add_image(made, 'a.png', (20, 30), [square(2, 3, 5), square(10, 20, 8)])
    add_image(made, 'b.png', (20, 30), [square(0, 0, 20)])
    add_image(made, 'c.png', (20, 30), [])
    return made


def test_images_and_annotations_are_those_of_coco(coco):
    assert [a['id'] for a in coco['annotations']] == [1, 2, 3]
    assert [a['bbox'] for a in coco['annotations']] == [
        [3, 2, 5, 5],
        [20, 10, 8, 8],
        [0, 0, 20, 20],
    ]
    assert [a['area'] for a in coco['annotations']] == [25, 64, 400]
    found = annotations_by_image(coco)
    assert {image: len(entries) for image, entries in found.items()} == {0: 2, 1: 1, 2: 0}


def test_sound_annotations_are_read(coco, tmp_path):
    for name in 'abc':
        Image.new('RGB', (30, 20)).save(tmp_path / f'{name}.png')
    path = tmp_path / 'instances.json'
    path.write_text(json.dumps(coco))
    assert read_instances(path, tmp_path) == coco


def test_everything_wrong_is_named_at_once(coco, tmp_path):
    first, second, third = (copy.deepcopy(coco['annotations'][0]) for _ in range(3))
    first |= {'id': 2}
    second |= {'id': 8, 'bbox': [25, 2, 9, 5]}
    third |= {'id': 9, 'image_id': 77}
    empty = {
        **coco['annotations'][2],
        'id': 10,
        'segmentation': {'size': [20, 30], 'counts': [600]},
    }
    no_box = {**empty, 'id': 11, 'bbox': [1, 2, float('nan'), 3]}
    flat = {**empty, 'id': 12, 'bbox': [1, 2, 0, 3]}
    coco['annotations'] += [first, second, third, empty, no_box, flat, {'image_id': 0}]
    del coco['images'][2]['height']
    path = tmp_path / 'bad.json'
    path.write_text(json.dumps(coco))
    for name in 'bc':
        Image.new('L', (30, 21)).save(tmp_path / f'{name}.png')
    with pytest.raises(DataError) as caught:
        read_instances(path, tmp_path)
    assert str(caught.value).splitlines() == [
        f"'{path}' has 10 entries that cannot be used. Correct or remove them:",
        f"Cannot read image '{tmp_path}/a.png': there is no such file. Correct the path.",
        f"image '{tmp_path}/b.png' is (21, 30), but stated to be (20, 30) (height, width).",
        "image 'c.png' lacks height.",
        "image 'a.png', annotation 2: its id occurs twice.",
        "image 'a.png', annotation 8: its box [25, 2, 9, 5] leaves the image of 30x20 "
        '(width x height).',
        'no image, annotation 9: there is no image of its image_id 77.',
        "image 'b.png', annotation 10: its segmentation has no pixel.",
        "image 'b.png', annotation 11: its box [1, 2, nan, 3] is not four numbers.",
        "image 'b.png', annotation 12: its box [1, 2, 0, 3] is empty.",
        "image 'a.png', annotation at position 9: it lacks bbox, category_id, id, segmentation.",
    ]


@pytest.mark.parametrize('content', ['', '[1]', '{"images": []}', '{"images": [1]}'])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / 'other.json'
    path.write_text(content)
    with pytest.raises(DataError, match=r'other\.json'):
        read_instances(path)
    with pytest.raises(DataError, match=r'none\.json.*No such file'):
        read_instances(tmp_path / 'none.json')


def test_split_is_a_function_of_names_counts_and_seed():
    whole = new_coco()
    for index in range(1000):
        add_image(whole, f'{index:04d}.png', (20, 30), [square(index % 10, 0, 5)] * (index % 3))
    counts = {'train': 500, 'val': 200, 'test': 300}
    parts = split_instances(whole, counts, seed=3)
    names = {key: {image['file_name'] for image in part['images']} for key, part in parts.items()}
    assert {key: len(found) for key, found in names.items()} == counts
    assert len(set.union(*names.values())) == 1000
    assert sum(len(part['annotations']) for part in parts.values()) == len(whole['annotations'])
    assert parts['val']['annotations'] == [
        a for a in whole['annotations'] if f'{a["image_id"]:04d}.png' in names['val']
    ]
    shuffled = {**whole, 'images': whole['images'][::-1]}
    assert split_instances(shuffled, counts, seed=3) == parts
    assert split_instances(whole, counts, seed=4) != parts
    # A draw, not the beginning of the list: 250 of the first 500 are expected, 11 the deviation.
    assert 180 < sum(name < '0500.png' for name in names['train']) < 320
    with pytest.raises(DataError, match='1000 images cannot be split into parts of 800, 300'):
        split_instances(whole, {'train': 800, 'val': 300})
