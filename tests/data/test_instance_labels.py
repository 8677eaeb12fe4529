from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from shared_data import shared_file

from sod_plugins.data import LABEL_FORMATS, DataError, convert_instances, decode_segmentation

TOOL = Path(__file__).parents[2] / 'tools' / 'dataset_converters' / 'salient_instances.py'
SIZE = (40, 60)
# Two rectangles: rows and columns from, to (excluded).
FIRST, SECOND = (4, 14, 5, 25), (20, 36, 30, 50)


def numbers():
    label = np.zeros(SIZE, dtype=np.uint8)
    for value, (top, bottom, left, right) in ((7, FIRST), (9, SECOND)):
        label[top:bottom, left:right] = value
    return label


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'masks').mkdir()
    (tmp_path / 'labels').mkdir()
    Image.new('RGB', SIZE[::-1]).save(tmp_path / 'images' / 'a.jpg')
    return tmp_path


def masks_of(coco):
    return [decode_segmentation(a['segmentation'], SIZE) for a in coco['annotations']]


def assert_two_rectangles(coco):
    assert coco['images'] == [{'id': 0, 'file_name': 'a.jpg', 'height': 40, 'width': 60}]
    assert coco['categories'] == [{'id': 1, 'name': 'salient', 'supercategory': 'object'}]
    assert [a['bbox'] for a in coco['annotations']] == [[5, 4, 20, 10], [30, 20, 20, 16]]
    assert [a['area'] for a in coco['annotations']] == [200, 320]
    for mask, value in zip(masks_of(coco), (7, 9), strict=True):
        np.testing.assert_array_equal(mask, numbers() == value)


@pytest.mark.parametrize('kind', ['grey', 'palette', '16-bit'])
def test_numbers(folder, kind):
    label = Image.fromarray(numbers())
    if kind == 'palette':
        label.putpalette(range(30))
    elif kind == '16-bit':
        label = Image.fromarray(numbers().astype(np.uint16))
    label.save(folder / 'masks' / 'a.png')
    assert_two_rectangles(convert_instances(folder, 'numbers'))


@pytest.mark.parametrize('palette', [False, True])
def test_colours(folder, palette):
    # Colours that differ in one channel only, whatever channel that is.
    colours = np.array([[0, 0, 0], [0, 0, 9], [0, 8, 9]], dtype=np.uint8)
    index = np.searchsorted([0, 7, 9], numbers())
    label = Image.fromarray(colours[index])
    if palette:
        label = Image.fromarray(index.astype(np.uint8))
        label.putpalette(colours.ravel().tolist())
    label.save(folder / 'masks' / 'a.png')
    assert_two_rectangles(convert_instances(folder, 'colours'))


def voc_palette():
    """PASCAL VOC's colours: the bits of an index, spread over red, green and blue from the top."""
    index = np.arange(256)
    bits = (index[:, None] >> np.arange(8)) & 1
    shifts = 7 - np.arange(8) // 3
    return np.stack(
        [(bits * (np.arange(8) % 3 == c) << shifts).sum(1) for c in range(3)], 1
    ).astype(np.uint8)


@pytest.mark.parametrize(
    ('coding', 'mode'), [('numbers', 'P'), ('colours', 'P'), ('colours', 'RGB')]
)
def test_the_border_of_pascal_voc_is_no_instance(folder, coding, mode):
    """A border 5 pixels wide at most, around each object and over its rim, as published."""
    index = np.array([0, 2, 3], np.uint8)[np.searchsorted([0, 7, 9], numbers())]
    for top, bottom, left, right in (FIRST, SECOND):
        rim = np.zeros(SIZE, bool)
        rim[max(top - 4, 0) : bottom + 4, max(left - 4, 0) : right + 4] = True
        index[rim & (index == 0)] = 255
    assert np.bincount(index.ravel())[255] > 100
    colours = voc_palette()
    assert colours[255].tolist() == [224, 224, 192] and colours[1].tolist() == [128, 0, 0]
    label = Image.fromarray(index)
    label.putpalette(colours.ravel().tolist())
    label.convert(mode).save(folder / 'masks' / 'a.png')
    assert_two_rectangles(convert_instances(folder, coding))


def test_number_255_is_an_instance_without_the_palette_of_voc(folder):
    label = np.where(numbers() == 7, 255, numbers()).astype(np.uint8)
    Image.fromarray(label).save(folder / 'masks' / 'a.png')
    assert len(convert_instances(folder, 'numbers')['annotations']) == 2


def test_smoothed_colours_are_refused_unless_a_least_area_is_given(folder):
    label = Image.new('RGB', (240, 160))
    draw = ImageDraw.Draw(label)
    draw.rectangle((20, 16, 99, 55), fill=(255, 0, 0))
    draw.ellipse((120, 80, 199, 143), fill=(0, 255, 0))
    label.resize((60, 40), Image.Resampling.BILINEAR).save(folder / 'masks' / 'a.png')
    with pytest.raises(DataError) as caught:
        convert_instances(folder, 'colours')
    message = str(caught.value)
    assert f"'{folder}/masks/a.png' has " in message and 'fewer than 16 pixels' in message
    assert 'smoothed or compressed edges' in message and '--min-area' in message
    coco = convert_instances(folder, 'colours', min_area=100)
    assert len(coco['annotations']) == 2


def test_a_contour_is_no_instance_however_long(folder):
    label = numbers()
    label[4:14, 4] = label[3, 5:25] = 1  # the half-covered edge of the first rectangle: 30 pixels
    Image.fromarray(label).save(folder / 'masks' / 'a.png')
    with pytest.raises(DataError, match=r'has 3 numbers, of which 1 .*number 1, 30 pixels'):
        convert_instances(folder, 'numbers')
    assert len(convert_instances(folder, 'numbers', min_area=30)['annotations']) == 3
    assert len(convert_instances(folder, 'numbers', min_area=31)['annotations']) == 2


def test_masks_hold_one_instance_or_none(folder):
    Image.fromarray((numbers() > 0).astype(np.uint8) * 255).save(folder / 'masks' / 'a.png')
    Image.new('RGB', (9, 7)).save(folder / 'images' / 'b.jpg')
    Image.new('L', (9, 7)).save(folder / 'masks' / 'b.png')
    coco = convert_instances(folder, 'masks')
    assert len(coco['images']) == 2
    assert [a['image_id'] for a in coco['annotations']] == [0]
    np.testing.assert_array_equal(masks_of(coco)[0], numbers() > 0)


@pytest.mark.parametrize('coding', ['polygons', 'yolo'])
def test_polygons(folder, coding):
    pytest.importorskip('pycocotools')
    corners = [(left, top, right, bottom) for top, bottom, left, right in (FIRST, SECOND)]
    lines = ['# two rectangles', '']
    for left, top, right, bottom in corners:
        middle = (left + right) / 2
        halves = [(left, middle), (middle, right)]  # an instance of two polygons
        texts = []
        for x1, x2 in halves:
            points = np.array([[x1, top], [x2, top], [x2, bottom], [x1, bottom]], dtype=float)
            if coding == 'yolo':
                points /= SIZE[::-1]
            texts.append(' '.join(f'{x:.9g},{y:.9g}' for x, y in points))
        lines.append(('3 ' if coding == 'yolo' else '') + ' ; '.join(texts))
    (folder / 'labels' / 'a.txt').write_text('\n'.join(lines))
    assert_two_rectangles(convert_instances(folder, coding))


def test_bad_lines_and_files_are_named_at_once(folder):
    pytest.importorskip('pycocotools')
    lines = ['1 1 9 1 9 9', '1 1 9 1', '1 1 9 1 9 x', '1 1 70 1 9 9', '1 1 1 1 1 1']
    (folder / 'labels' / 'a.txt').write_text('\n'.join(lines))
    (folder / 'images' / 'b.jpg').write_text('no image')
    (folder / 'labels' / 'b.txt').touch()
    with pytest.raises(DataError) as caught:
        convert_instances(folder, 'polygons')
    first, *problems = str(caught.value).splitlines()
    assert first == '2 of 2 images cannot be converted:'
    reasons = ['three points', "could not convert string to float: 'x'", 'outside', 'no pixel']
    for number, (problem, reason) in enumerate(zip(problems[:4], reasons, strict=True), start=2):
        assert problem.startswith(f"'{folder}/labels/a.txt', line {number}: ") and reason in problem
    assert len(problems) == 5 and 'images/b.jpg' in problems[4]


YOLO = '0 0.1 0.1 0.6 0.1 0.6 0.7 0.1 0.7'


@pytest.mark.parametrize(
    'content',
    [
        YOLO.replace(' ', '\t').encode(),
        f'{YOLO}\r\n'.encode(),
        YOLO.encode('utf-8-sig'),
        YOLO.encode('utf-16'),
        YOLO.replace('0 ', '0.0 ', 1).encode(),
        YOLO.replace(' ', '  \t ').encode(),
    ],
)
def test_white_space_and_encodings_of_labels(folder, content):
    pytest.importorskip('pycocotools')
    (folder / 'labels' / 'a.txt').write_bytes(content)
    (entry,) = convert_instances(folder, 'yolo')['annotations']
    assert entry['bbox'] == [6, 4, 30, 24]  # of 60 x 40 pixels


def test_images_without_yolo_labels_are_background(folder):
    pytest.importorskip('pycocotools')
    Image.new('RGB', (60, 40)).save(folder / 'images' / 'b.jpg')
    (folder / 'labels' / 'a.TXT').write_text(YOLO)
    (folder / 'labels' / 'classes.txt').write_text('duck')
    coco = convert_instances(folder, 'yolo')
    assert [image['file_name'] for image in coco['images']] == ['a.jpg', 'b.jpg']
    assert len(coco['annotations']) == 1
    (folder / 'labels' / 'c.txt').write_text(YOLO)
    with pytest.raises(DataError, match=r'1 label files have no image, .*\n.*c\.txt'):
        convert_instances(folder, 'yolo')
    for path in (folder / 'labels').iterdir():
        path.unlink()
    with pytest.raises(DataError, match='2 of 2 images have no label file'):
        convert_instances(folder, 'yolo')


@pytest.mark.parametrize(
    ('row', 'reason'),
    [
        ('0 0.5 0.5 0.2 0.2', r'it is a box \(centre, width and height\), not an outline'),
        ('0 0.5 0.5 0.2 0.2 0.9', 'it is a box .* and a confidence'),
        (f'{YOLO} 0.91', 'its 9 numbers are pairs of x and y and one more, such as the confidence'),
        (
            '0 0.1 0.1 1.02 0.1 0.6 0.7',
            r'.*outside the image of 60x40 pixels: x is 61\.2 pixels',
        ),
        (
            '0 0.1 0.1 0.5 -0.2 0.6 0.7',
            r'.*outside the image of 60x40 pixels: y is -8 pixels',
        ),
        ('0', 'its 0 vertices do not form an outline'),
    ],
)
def test_other_rows_are_named_for_what_they_are(folder, row, reason):
    (folder / 'labels' / 'a.txt').write_text(f'# a comment\n{row}\n')
    with pytest.raises(DataError, match=rf"a\.txt', line 2: {reason}"):
        convert_instances(folder, 'yolo')


def test_vertices_that_rounding_put_outside_are_brought_to_the_border(folder):
    pytest.importorskip('pycocotools')
    (folder / 'labels' / 'a.txt').write_text('0 -0.0004 0.1 1.0004 0.1 1.0004 0.7 -0.0004 0.7')
    (entry,) = convert_instances(folder, 'yolo')['annotations']
    assert entry['bbox'] == [0, 4, 60, 24]


def test_wrong_folders_and_sizes_are_refused(folder):
    with pytest.raises(DataError, match='1 of 1 images have no label file'):
        convert_instances(folder, 'polygons')
    Image.new('L', (50, 40)).save(folder / 'masks' / 'a.png')
    with pytest.raises(DataError, match=r"a\.png' is \(40, 50\) but .*a\.jpg' \(40, 60\)"):
        convert_instances(folder, 'numbers')
    Image.new('RGB', (60, 40), 'red').save(folder / 'masks' / 'a.png')
    with pytest.raises(DataError, match=r"a\.png': its mode RGB holds no numbers"):
        convert_instances(folder, 'numbers')
    with pytest.raises(DataError, match=f'must be one of {", ".join(map(repr, LABEL_FORMATS))}'):
        convert_instances(folder, 'letters')


def test_tool_writes_the_split_of_a_list(folder):
    for name in 'bcdef':
        Image.new('RGB', SIZE[::-1]).save(folder / 'images' / f'{name}.jpg')
    for name in 'abcdef':
        Image.fromarray(numbers()).save(folder / 'masks' / f'{name}.png')
    (folder / 'five.txt').write_text('\n'.join('abdef'))
    words = [
        folder,
        '--label-format',
        'numbers',
        '--list',
        'five.txt',
        '--split',
        2,
        1,
        1,
        '--seed',
        5,
    ]
    command = [sys.executable, TOOL, *words, '-o', folder / 'out']
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'train.json: 4 instances in 2 images, 0 of them without any' in done.stdout
    parts = [
        json.loads((folder / 'out' / f'{n}.json').read_text()) for n in ('train', 'val', 'test')
    ]
    names = [image['file_name'] for part in parts for image in part['images']]
    assert [len(part['images']) for part in parts] == [2, 1, 1]
    assert len(set(names)) == 4 and set(names) <= {f'{name}.jpg' for name in 'abdef'}


@pytest.mark.shared_data
def test_pedestrians_of_penn_fudan():
    root = shared_file('data/pennfudan')
    coco = convert_instances(root, 'numbers')
    assert len(coco['images']) == 170 and len(coco['annotations']) == 423
    label = np.asarray(Image.open(root / 'masks' / 'FudanPed00001.png'))
    for number, annotation in enumerate(coco['annotations'][:2], start=1):
        mask = decode_segmentation(annotation['segmentation'], label.shape)
        np.testing.assert_array_equal(mask, label == number)
