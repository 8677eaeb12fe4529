from __future__ import annotations

import copy
import json

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import (
    DataError,
    Instances,
    annotations_by_image,
    decode_segmentation,
    read_instances,
    split_instances,
    write_instances,
)
from sod_plugins.data.instances import add_entries, add_image, new_coco


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
        'no image, annotation 9: there is no image with its image_id 77.',
        "image 'b.png', annotation 10: its segmentation has no pixel.",
        "image 'b.png', annotation 11: its box [1, 2, nan, 3] is not four numbers.",
        "image 'b.png', annotation 12: its box [1, 2, 0, 3] is empty.",
        "image 'a.png', annotation at position 9: it lacks segmentation.",
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


@pytest.fixture
def instances():
    masks = np.stack([square(2, 3, 5), square(10, 20, 8)])
    boxes = np.array([[3, 2, 8.0004, 7], [20.25, 10, 28, 18]], np.float32)
    scores = np.array([0.75, 0.12345678], np.float32)
    return Instances(boxes, masks, scores, np.array([0, 2]))


def test_instances_go_to_coco_and_back(instances, tmp_path):
    first, second = instances.to_coco()
    assert first['bbox'] == [3, 2, 5, 5] and first['score'] == 0.75 and first['area'] == 25
    assert second['bbox'] == [20.25, 10, 7.75, 8] and second['score'] == 0.123457
    assert (first['category_id'], second['category_id'], first['iscrowd']) == (1, 3, 0)
    np.testing.assert_array_equal(
        decode_segmentation(second['segmentation'], (20, 30)), instances.masks[1]
    )
    coco = new_coco()
    add_entries(coco, 'a.png', instances.size, [first, second], image_id='a')
    write_instances(tmp_path / 'instances.json', coco)
    read = read_instances(tmp_path / 'instances.json', predicted=True)
    assert read == coco
    back = Instances.from_coco(read['annotations'], (20, 30))
    np.testing.assert_allclose(back.boxes, [[3, 2, 8, 7], [20.25, 10, 28, 18]], rtol=0)
    np.testing.assert_array_equal(back.masks, instances.masks)
    np.testing.assert_allclose(back.scores, instances.scores, atol=1e-6)
    assert back.labels.tolist() == [0, 2] and len(back) == 2 and back.size == (20, 30)


def test_true_instances_have_a_score_of_one_and_boxes_of_their_own(coco):
    entries = [dict(entry) for entry in coco['annotations'][:2]]
    del entries[1]['bbox']
    found = Instances.from_coco(entries, (20, 30))
    assert found.boxes.tolist() == [[3, 2, 8, 7], [20, 10, 28, 18]]
    assert found.scores.tolist() == [1, 1] and found.labels.tolist() == [0, 0]
    none = Instances.from_coco([], (20, 30))
    assert len(none) == 0 and none.masks.shape == (0, 20, 30) and none.to_coco() == []


def test_boxes_alone_have_no_segmentation(instances):
    boxes = Instances(
        instances.boxes, np.zeros((2, 0, 0), bool), instances.scores, instances.labels
    )
    entry = boxes.to_coco()[1]
    assert 'segmentation' not in entry and entry['area'] == 7.75 * 8


def test_instances_cannot_be_changed_or_of_several_lengths(instances):
    with pytest.raises(AttributeError):
        instances.scores = instances.scores[:1]
    with pytest.raises(ValueError, match=r'masks \(K, H, W\).*got \(2, 4\), \(20, 30\)'):
        Instances(instances.boxes, instances.masks[0], instances.scores, instances.labels)
    with pytest.raises(ValueError, match='Instances need boxes'):
        Instances(instances.boxes, instances.masks, instances.scores[:1], instances.labels)


class Counted(list):
    """A list that counts how often its entries are read."""

    def __init__(self):
        super().__init__()
        self.reads = 0

    def __iter__(self):
        for entry in super().__iter__():
            self.reads += 1
            yield entry


def test_ten_thousand_images_are_appended_without_reading_any(instances):
    coco = {**new_coco(), 'images': Counted(), 'annotations': Counted()}
    entries = instances.to_coco()
    for number in range(10_000):
        add_entries(coco, f'{number}.png', (20, 30), entries)
    assert coco['images'].reads == coco['annotations'].reads == 0
    assert [image['id'] for image in coco['images']] == list(range(10_000))
    assert [a['id'] for a in coco['annotations']] == list(range(1, 20_001))


def test_lists_and_empty_files_are_written_as_json(tmp_path):
    for content in ([], [{'a': 1}, {'b': [2]}], {}, new_coco(), {'info': 'x', 'images': [{}]}):
        write_instances(tmp_path / 'new' / 'file.json', content)
        assert json.loads((tmp_path / 'new' / 'file.json').read_text()) == content
