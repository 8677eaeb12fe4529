"""Annotation files as other tools write them: read, or refused for the true reason."""

from __future__ import annotations

import codecs
import copy
import json
import os

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('pycocotools')

from sod_plugins.data import DataError, decode_segmentation, read_instances
from sod_plugins.data.coco_fields import MAX_PIXELS

SQUARE = [10, 10, 40, 10, 40, 50, 10, 50]
RUNS = {'size': [100, 100], 'counts': [1010, 40, *[60, 40] * 29, 6050]}


def truth(**changes):
    """One image of 100x100 with one annotation, of which fields are changed; `None` stays null."""
    image = {'id': 1, 'file_name': 'a.jpg', 'height': 100, 'width': 100}
    annotation = {
        'id': 5,
        'image_id': 1,
        'category_id': 1,
        'bbox': [10, 10, 30, 40],
        'segmentation': [SQUARE],
        'area': 1200,
        'iscrowd': 0,
    }
    for name, value in changes.items():
        place, _, field = name.partition('__')
        target = image if place == 'image' else annotation
        if value is ...:
            del target[field]
        else:
            target[field] = value
    return {
        'images': [image],
        'annotations': [annotation],
        'categories': [{'id': 1, 'name': 'person'}],
    }


@pytest.fixture
def read(tmp_path):
    def function(content, **options):
        path = tmp_path / 'annotations.json'
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        path.write_bytes(data)
        return read_instances(path, **options)

    return function


@pytest.mark.parametrize(
    'changes',
    [
        {'annotation__segmentation': SQUARE},
        {'annotation__segmentation': [[[10, 10], [40, 10], [40, 50], [10, 50]]]},
        {'annotation__segmentation': [[10, 10], [40, 10], [40, 50], [10, 50]]},
        {'annotation__segmentation': [[str(number) for number in SQUARE]]},
        {'annotation__segmentation': [SQUARE, [70, 70]]},
        {'annotation__segmentation': [[70, 70, 75, 75], SQUARE]},
        {'annotation__segmentation': RUNS},
        {'annotation__segmentation': {**RUNS, 'counts': [float(n) for n in RUNS['counts']]}},
        {'annotation__bbox': ['10', '10', '30', '40.0']},
        {'annotation__bbox': None},
        {'annotation__bbox': ...},
        {'annotation__id': ...},
        {'annotation__id': 'first'},
        {'annotation__category_id': ...},
        {'annotation__category_id': 'person'},
        {'annotation__category_id': 10**30},
        {'annotation__score': None},
        {'annotation__area': [1200]},
        {'annotation__area': ...},
        {'annotation__iscrowd': ...},
        {'annotation__iscrowd': False},
        {'annotation__iscrowd': '0'},
        {'annotation__attributes': {'occluded': True}},
        {'image__height': '100', 'image__width': 100.0},
        {'image__id': '1'},
        {'image__id': 1.0},
        {'image__license': None},
        {'annotation__image_id': '1'},
    ],
)
def test_loose_forms_are_read_as_they_are_meant(read, changes):
    coco = read(truth(**changes))
    (image,), (annotation,) = coco['images'], coco['annotations']
    assert (image['id'], image['file_name'], image['height'], image['width']) == (
        *(1, 'a.jpg'),
        *(100, 100),
    )
    assert type(image['height']) is type(image['width']) is type(image['id']) is int
    expected = np.zeros((100, 100), bool)
    expected[10:50, 10:40] = True
    mask = decode_segmentation(annotation['segmentation'], (100, 100))
    np.testing.assert_array_equal(mask, expected)
    assert annotation['bbox'] == [10, 10, 30, 40] and annotation['area'] == 1200
    assert (annotation['image_id'], annotation['iscrowd'], annotation['category_id']) == (1, 0, 1)
    assert annotation['id'] == ('first' if changes.get('annotation__id') == 'first' else 5) or (
        changes.get('annotation__id') is ... and annotation['id'] == 1
    )


@pytest.mark.parametrize(
    ('changes', 'reason'),
    [
        ({'annotation__segmentation': None}, 'it lacks segmentation'),
        ({'annotation__segmentation': []}, 'is an empty list: it has no polygon'),
        ({'annotation__segmentation': 'text'}, 'neither run lengths nor a list of polygons'),
        ({'annotation__segmentation': [[10, 10, 40, 50]]}, 'none of its polygons has three points'),
        ({'annotation__segmentation': [[10, 10, 40, 50, 10, 10]]}, 'has no pixel'),
        ({'annotation__segmentation': [SQUARE[:-1]]}, 'has 7 numbers, which are not pairs'),
        ({'annotation__segmentation': [[*SQUARE[:-1], 'b']]}, 'is not a list of numbers'),
        ({'annotation__segmentation': [[*SQUARE[:-1], 10**400]]}, 'is not a list of numbers'),
        ({'annotation__segmentation': [[*SQUARE[:-1], {}]]}, 'is not a list of numbers'),
        ({'annotation__segmentation': [[*SQUARE[:-1], 1e9]]}, r'point \(10, 1e\+09\) lies far out'),
        ({'annotation__segmentation': {**RUNS, 'size': [50, 100]}}, r'of size \[50, 100\], but'),
        ({'annotation__segmentation': {**RUNS, 'counts': [5, 10]}}, '10000 pixels, but to 15'),
        ({'annotation__segmentation': {**RUNS, 'counts': ''}}, 'do not add up to 10000'),
        (
            {'annotation__segmentation': {**RUNS, 'counts': 'z' * 9}},
            'a letter that COCO does not use',
        ),
        (
            {'annotation__segmentation': {**RUNS, 'counts': '\u20ac0'}},
            'a letter that COCO does not use',
        ),
        ({'annotation__segmentation': {**RUNS, 'counts': 'o' * 10**6 + '0'}}, 'too large'),
        (
            {'annotation__segmentation': {**RUNS, 'counts': [1.5, 9998.5]}},
            'not a list of whole numb',
        ),
        (
            {'annotation__segmentation': {**RUNS, 'counts': [[10000]]}},
            'not a list of whole numbers',
        ),
        ({'annotation__bbox': [10, 10, 30, -24]}, r'box \[10, 10, 30, -24\] is empty'),
        ({'annotation__bbox': [10, 10, 30]}, 'is not four numbers'),
        ({'annotation__bbox': {'x': 1}}, 'is not four numbers'),
        ({'annotation__bbox': [80, 10, 30, 40]}, 'leaves the image of 100x100'),
        ({'annotation__image_id': [1]}, r'its image_id \[1\] is neither a whole number nor text'),
        ({'annotation__image_id': True}, 'its image_id True is neither'),
        ({'annotation__image_id': ...}, 'it lacks image_id'),
        ({'annotation__image_id': 'a.jpg'}, "there is no image with its image_id 'a.jpg'"),
        ({'annotation__id': {}}, 'its id {} is neither a whole number nor text'),
        ({'annotation__iscrowd': 'maybe'}, "its iscrowd 'maybe' is neither 0 nor 1"),
        ({'image__id': None}, "image 'a.jpg' lacks id"),
        ({'image__id': 1.5}, 'its id 1.5 is neither'),
        ({'image__file_name': ...}, 'image at position 0 lacks file_name'),
        ({'image__file_name': ['a.jpg']}, r"its file_name \['a.jpg'\] is not text"),
        ({'image__file_name': 'a\0.jpg'}, 'cannot be the name of a file'),
        ({'image__file_name': 'x' * 5000}, 'cannot be the name of a file'),
        ({'image__height': 0}, 'its height 0 is not a number of pixels'),
        ({'image__height': 'high'}, "its height 'high' is not a finite number"),
        ({'image__width': 99.5}, 'its width 99.5 is not a number of pixels'),
        ({'image__width': MAX_PIXELS}, f'100x{MAX_PIXELS} .* exceeds {MAX_PIXELS} pixels'),
    ],
)
def test_what_is_refused_says_why_and_can_be_left_out(read, changes, reason):
    content = truth(**changes)
    with pytest.raises(DataError, match=reason) as caught:
        read(content)
    assert "annotations.json'" in str(caught.value) and len(str(caught.value)) < 2000
    good = copy.deepcopy(truth())
    good['images'][0]['id'] = good['annotations'][0]['image_id'] = 2
    good['annotations'][0]['id'] = 6
    for key in ('images', 'annotations'):
        content[key] += good[key]
    left_out: list[str] = []
    coco = read(content, left_out=left_out)
    assert left_out and coco['annotations'] == good['annotations']
    assert [image['id'] for image in coco['images']] == [1, 2][-len(coco['images']) :]
    assert len(coco['images']) == (1 if any(key.startswith('image') for key in changes) else 2)


def test_regions_to_be_ignored(read):
    box_alone = truth(annotation__segmentation=[], annotation__iscrowd=..., annotation__ignore=1)
    (annotation,) = read(box_alone)['annotations']
    assert annotation['iscrowd'] == 1
    mask = decode_segmentation(annotation['segmentation'], (100, 100))
    assert mask[10:50, 10:40].all() and mask.sum() == 1200
    (annotation,) = read(truth(annotation__ignore=0))['annotations']
    assert annotation['iscrowd'] == 0


def test_ids_of_every_kind_at_once(read):
    content = truth()
    for name, index in (('b.jpg', '2'), ('c.jpg', '007'), ('d.jpg', 'd')):
        content['images'].append({**content['images'][0], 'id': index, 'file_name': name})
        annotation = {**content['annotations'][0], 'image_id': index}
        del annotation['id']
        content['annotations'].append(annotation)
    coco = read(content)
    assert [image['id'] for image in coco['images']] == [1, 2, '007', 'd']
    assert [a['image_id'] for a in coco['annotations']] == [1, 2, '007', 'd']
    assert [a['id'] for a in coco['annotations']] == [5, 6, 7, 8]
    content['images'][1]['id'] = '1'
    with pytest.raises(DataError, match=r"image 'b.jpg': its id 1 occurs twice"):
        read(content)


@pytest.mark.parametrize(
    'encode',
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode('utf-16'),
        lambda text: text.encode('utf-32-be'),
    ],
)
def test_any_encoding_of_json_is_read(read, encode):
    content = truth(image__file_name='caf\u00e9.jpg')
    assert read(encode(json.dumps(content, ensure_ascii=False)))['images'] == content['images']


def test_names_with_backslashes_and_numbers_as_names(read, tmp_path):
    (tmp_path / 'images').mkdir()
    for name in ('images/a.png', '7', 'b\\c.png'):
        Image.new('L', (100, 100)).save(tmp_path / name, format='PNG')
    for given, name in (('images\\a.png', 'images/a.png'), (7, '7'), ('b\\c.png', 'b\\c.png')):
        coco = read(truth(image__file_name=given), image_dir=tmp_path)
        assert coco['images'][0]['file_name'] == name


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        (b'', 'is not JSON'),
        (b'\x89PNG\r\n', 'is not JSON'),
        (b'[' * 100_000, 'nested too deep'),
        (b'{"images": ' + b'[' * 100_000 + b']' * 100_000 + b'}', 'nested too deep'),
        (b'7', 'it holds 7'),
        (b'[{"image_id": 1, "score": 1}]', "is a list, as COCO's results are"),
        (b'{"images": []}', 'it has no annotations'),
        (b'{"images": {}, "annotations": []}', 'images is {}'),
        (b'{"images": [], "annotations": [4]}', 'entry 0 of annotations is 4'),
        (b'{"images": [], "annotations": [], "categories": 3}', 'categories is 3'),
        (b'{"images": [' + b'9' * 5000 + b'], "annotations": []}', 'is not JSON'),
    ],
)
def test_other_files_are_named_for_what_they_are(read, content, reason):
    with pytest.raises(DataError, match=reason) as caught:
        read(content)
    assert "annotations.json'" in str(caught.value)


def test_pipes_and_folders_do_not_hang(tmp_path, read):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(DataError, match=r"pipe': it is a pipe or a device"):
        read_instances(tmp_path / 'pipe')
    with pytest.raises(DataError, match='directory'):
        read_instances(tmp_path)
    with pytest.raises(DataError, match=r"pipe': it is a pipe or a device"):
        read(truth(image__file_name='pipe'), image_dir=tmp_path)
    with pytest.raises(DataError, match='cannot be the name of a file'):
        read_instances('a\0b')


def test_an_image_that_is_left_out_takes_its_annotations_along(read, tmp_path):
    left_out: list[str] = []
    coco = read(truth(), image_dir=tmp_path, left_out=left_out)
    assert coco['images'] == coco['annotations'] == []
    assert left_out == [
        f"Cannot read image '{tmp_path}/a.jpg': there is no such file. Correct the path."
    ]


def test_outlines_that_would_exhaust_the_memory_are_refused(read):
    zigzag = [number for turn in range(300) for number in (0, turn % 100, 20_000, turn % 100)]
    content = truth(annotation__segmentation=[zigzag], image__width=20_000)
    with pytest.raises(DataError, match=r'its outlines are .* pixels long'):
        read(content)
