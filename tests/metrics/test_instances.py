from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from sod_plugins.cli import main
from sod_plugins.data import DataError, compress_mask
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.metrics import evaluate_instances, score_instances

SIZE = (24, 30)


def rectangle(left, top, width, height):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


@pytest.fixture
def truth():
    """Image 0: two objects apart; 1: two whose boxes share half of the smaller; 2: none."""
    coco = new_coco()
    add_image(coco, 'x/a.png', SIZE, [rectangle(0, 0, 8, 8), rectangle(15, 0, 8, 8)])
    add_image(coco, 'x/b.png', SIZE, [rectangle(0, 0, 10, 8), rectangle(6, 0, 8, 8)])
    add_image(coco, 'x/c.png', SIZE, [])
    return coco


@pytest.fixture
def predictions(truth):
    """All objects of image 0 and one of image 1, with nothing but scores and masks."""
    return [
        {'image_id': a['image_id'], 'score': 0.9 - a['id'] / 10, 'segmentation': a['segmentation']}
        for a in truth['annotations'][:3]
    ]


def test_measures_of_all_images_and_of_those_with_occlusion(truth, predictions):
    evaluation = evaluate_instances(truth, predictions)
    for kind in ('mask', 'box'):
        for name in ('map', 'ap50', 'ap70', 'ap75'):
            # Three of four objects are found before any miss: 76 of 101 levels of recall.
            assert evaluation.measures[f'{kind}_{name}'] == pytest.approx(76 / 101)
        for name in ('map_o', 'ap50_o', 'ap70_o'):
            assert evaluation.measures[f'{kind}_{name}'] == pytest.approx(51 / 101)
        assert evaluation.measures[f'{kind}_ar1'] == 0.5
        assert evaluation.measures[f'{kind}_ar20'] == 0.75
    assert (evaluation.images, evaluation.instances, evaluation.predictions) == (3, 4, 3)
    assert (evaluation.occlusion, evaluation.occluded_images) == (0.1, 1)
    none = evaluate_instances(truth, predictions, occlusion=0.6)
    assert none.occluded_images == 0
    assert not any(name.endswith('_o') for name in none.measures)
    part = evaluate_instances(truth, predictions, images=[1, 2])
    assert part.measures['mask_map'] == pytest.approx(51 / 101)
    assert (part.images, part.predictions) == (2, 1)


def test_protocol_of_the_published_code(truth, predictions):
    evaluation = evaluate_instances(truth, predictions, protocol='s4net')
    names = [f'mask_{name}' for name in ('map', 'ap50', 'ap70', 'map_o', 'ap50_o', 'ap70_o')]
    values = dict.fromkeys(names[:3], 0.75) | dict.fromkeys(names[3:], 0.5)
    assert evaluation.measures == pytest.approx(values)
    assert evaluation.describe() == (
        'Instances of 3 images (4 objects, 3 predictions), protocol s4net; with occlusion (boxes '
        'share 0.1 of the smaller one): 1 images'
    )


def test_boxes_need_no_masks(truth):
    boxes = [
        {'image_id': a['image_id'], 'score': 0.5, 'bbox': a['bbox']} for a in truth['annotations']
    ]
    evaluation = evaluate_instances(truth, boxes, kinds=['box'])
    assert evaluation.measures['box_map'] == 1
    assert not any(name.startswith('mask') for name in evaluation.measures)


def test_files_of_both_forms(truth, predictions, tmp_path, capsys):
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    (tmp_path / 'list.json').write_text(json.dumps(predictions))
    # As sod predict numbers and names images: its own ids, another order, no folders.
    images = [
        {'id': 5 - image['id'], 'file_name': image['file_name'][2:]} for image in truth['images']
    ]
    entries = [{**entry, 'image_id': 5 - entry['image_id']} for entry in predictions]
    entries[0]['segmentation'] = compress_mask(rectangle(0, 0, 8, 8))
    named = {'images': images[::-1], 'annotations': entries, 'categories': []}
    (tmp_path / 'named.json').write_text(json.dumps(named))
    expected = evaluate_instances(truth, predictions)
    for name in ('list.json', 'named.json'):
        out = tmp_path / 'out' / name
        words = [tmp_path / name, tmp_path / 'truth.json', '--json', out]
        assert main(['eval-instances', *map(str, words)]) == 0
        record = json.loads(out.read_text())
        assert {key: record[key] for key in expected.measures} == expected.measures
        assert (record['protocol'], record['instances']) == ('coco', 4)
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == expected.describe()
        assert lines[1].startswith('|  | map | ap50 | ap70 | ap75 | ar1 |')
        assert lines[3].startswith('| mask | 0.7525 | 0.7525 |')
    named['images'].pop()
    (tmp_path / 'named.json').write_text(json.dumps(named))
    with pytest.raises(DataError, match=r"named\.json' lacks images of the ground truth: a\.png"):
        evaluate_instances(truth, tmp_path / 'named.json')


def test_what_cannot_be_scored_is_named_at_once(truth, predictions, tmp_path):
    good = predictions[0]
    bad = [
        good,
        {**good, 'image_id': 9},
        {**good, 'score': float('nan')},
        {**good, 'segmentation': {'size': [30, 24], 'counts': [720]}},
        {**good, 'bbox': [1, 2, 3]},
        {'image_id': 0, 'score': 0.5},
    ]
    with pytest.raises(DataError) as caught:
        evaluate_instances(truth, bad)
    first, *lines = str(caught.value).splitlines()
    assert first == '5 predictions cannot be scored:'
    reasons = ['image_id 9', 'score nan', r'size [30, 24]', 'box [1, 2, 3]', 'lacks segmentation']
    for number, (line, reason) in enumerate(zip(lines, reasons, strict=True), start=1):
        assert line.startswith(f'prediction {number}: ') and reason in line
    (tmp_path / 'text.json').write_text('{"a": 1}')
    with pytest.raises(DataError, match=r"text\.json' holds no predictions"):
        evaluate_instances(truth, tmp_path / 'text.json')
    with pytest.raises(DataError, match='holds no instance'):
        evaluate_instances(truth, predictions, images=[2])
    with pytest.raises(ValueError, match="protocol must be one of 'coco', 's4net', got 'voc'"):
        evaluate_instances(truth, predictions, protocol='voc')


def test_bad_entries_are_left_out_when_asked(truth, predictions, tmp_path, capsys):
    whole = evaluate_instances(truth, predictions)
    # Text ids and a bad entry in either file: the rest scores as before.
    for image in truth['images']:
        image['id'] = str(image['id'])
    bad_object = {**truth['annotations'][0], 'id': 99, 'bbox': [0, 0, 0, 0]}
    truth['annotations'].append(bad_object)
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    bad_prediction = {**predictions[0], 'image_id': 'elsewhere'}
    (tmp_path / 'list.json').write_text(json.dumps([*predictions, bad_prediction]))
    words = ['eval-instances', *(str(tmp_path / f'{name}.json') for name in ('list', 'truth'))]
    assert main(words) == 2
    assert (
        "image 'x/a.png', annotation 99: its box [0, 0, 0, 0] is empty" in capsys.readouterr().err
    )
    out = tmp_path / 'measures.json'
    assert main([*words, '--skip-bad', '--json', str(out)]) == 1
    record = json.loads(out.read_text())
    assert {key: record[key] for key in whole.measures} == whole.measures
    assert record['left_out'] == [
        "image 'x/a.png', annotation 99: its box [0, 0, 0, 0] is empty.",
        "prediction 3: the ground truth has no image with its image_id 'elsewhere'.",
    ]
    assert capsys.readouterr().err.splitlines()[1:] == record['left_out']


def test_ids_of_mixed_kinds_score_as_numbers_do(truth, predictions):
    whole = evaluate_instances(truth, predictions)
    new = {0: 'first', 1: 1, 2: 'third'}
    for image in truth['images']:
        image['id'] = new[image['id']]
    for entry in (*truth['annotations'], *predictions):
        entry['image_id'] = new[entry['image_id']]
    assert evaluate_instances(truth, predictions).measures == whole.measures
    found = evaluate_instances(truth, predictions, protocol='s4net').measures
    assert found['mask_ap50'] == 0.75


def test_the_older_name_takes_the_files_the_other_way_round(truth, predictions):
    found = score_instances(predictions, truth, kinds=['box'])
    assert found == evaluate_instances(truth, predictions, kinds=['box'])
    assert found.measures['box_map'] > 0


def test_json_may_go_to_standard_output(truth, predictions, tmp_path, capsys):
    paths = tmp_path / 'found.json', tmp_path / 'truth.json'
    for path, content in zip(paths, (predictions, truth), strict=True):
        path.write_text(json.dumps(content))
    assert main(['eval-instances', *map(str, paths), '--json', '-']) == 0
    record = json.loads(capsys.readouterr().out)
    assert record['mask_map'] == score_instances(predictions, truth).measures['mask_map']
