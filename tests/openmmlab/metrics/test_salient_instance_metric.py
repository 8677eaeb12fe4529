from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import multiprocessing

pytest.importorskip('pycocotools')

from sod_plugins.data import DataError, compress_mask
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.metrics import evaluate_instances
from sod_plugins.openmmlab.metrics import SalientInstanceMetric

SIZE = (24, 30)


@pytest.fixture
def truth(tmp_path):
    """Write five images of one to three rectangles."""
    rng = np.random.default_rng(0)
    coco = new_coco()
    for image in range(5):
        masks = np.zeros((image % 3 + 1, *SIZE), dtype=bool)
        for mask in masks:
            left, top, width, height = *rng.integers(0, 15, 2), *rng.integers(5, 9, 2)
            mask[top : top + height, left : left + width] = True
        add_image(coco, f'{image}.png', SIZE, masks)
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(coco))
    return path


def predict(truth):
    """Return data samples as mmdet gives them: objects shifted by a pixel, and one made up."""
    coco = json.loads(truth.read_text())
    samples = []
    for image in coco['images']:
        generator = torch.Generator().manual_seed(image['id'])
        boxes = [a['bbox'] for a in coco['annotations'] if a['image_id'] == image['id']]
        boxes = torch.tensor([*boxes, [20, 15, 6, 6]], dtype=torch.float32)
        boxes[:, 2:] += boxes[:, :2]
        boxes[:, [1, 3]] += torch.randint(0, 3, (len(boxes), 1), generator=generator)
        masks = torch.zeros(len(boxes), *SIZE, dtype=torch.bool)
        for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
            mask[top:bottom, left:right] = True
        scores = torch.rand(len(boxes), generator=generator)
        instances = {'bboxes': boxes, 'scores': scores, 'labels': scores.long(), 'masks': masks}
        samples.append({'img_id': image['id'], 'ori_shape': SIZE, 'pred_instances': instances})
    return samples


@pytest.mark.parametrize('protocol', ['coco', 's4net'])
def test_equals_the_evaluation_of_the_saved_file(truth, tmp_path, protocol):
    metric = SalientInstanceMetric(protocol=protocol, out_dir=tmp_path / 'out')
    metric.dataset_meta = {'ann_file': str(truth)}
    samples = predict(truth)
    metric.process(None, samples[:2])
    metric.process(None, samples[2:])
    results = metric.evaluate(5)
    offline = evaluate_instances(truth, tmp_path / 'out' / 'instances.json', protocol=protocol)
    assert results == {f'instances/{key}': value for key, value in offline.measures.items()}
    assert 0.2 < results['instances/mask_ap50'] < 0.95
    record = json.loads((tmp_path / 'out' / 'measures.json').read_text())
    assert {key: record[key] for key in offline.measures} == offline.measures
    assert (record['images'], record['predictions']) == (5, offline.predictions)
    # A second evaluation starts anew, with run lengths in the place of arrays this time.
    for sample in samples:
        masks = sample['pred_instances']['masks'].numpy()
        sample['pred_instances']['masks'] = [compress_mask(mask) for mask in masks]
    metric.process(None, samples)
    assert metric.evaluate(5) == results


def test_images_left_out_of_the_test_are_left_out_of_the_measures(truth):
    metric = SalientInstanceMetric(truth)
    samples = predict(truth)
    metric.process(None, samples[1:3])
    results = metric.evaluate(2)
    whole = SalientInstanceMetric(truth)
    empty = {'bboxes': torch.zeros(0, 4), 'scores': torch.zeros(0), 'masks': torch.zeros(0, *SIZE)}
    for sample in (samples[0], *samples[3:]):
        sample['pred_instances'] = empty
    whole.process(None, samples)
    assert results['instances/mask_ar100'] > whole.evaluate(5)['instances/mask_ar100'] > 0


def test_boxes_alone(truth):
    samples = predict(truth)
    for sample in samples:
        del sample['pred_instances']['masks']
    with pytest.raises(ValueError, match=r"no mask for each score\. Set kinds=\['box'\]"):
        SalientInstanceMetric(truth).process(None, samples)
    metric = SalientInstanceMetric(truth, kinds=['box'])
    metric.process(None, samples)
    assert {key.partition('_')[0] for key in metric.evaluate(5)} == {'instances/box'}


def test_refuses_what_it_cannot_measure(truth):
    samples = predict(truth)
    with pytest.raises(ValueError, match='does not know the ground truth'):
        SalientInstanceMetric().process(None, samples)
    samples[1]['pred_instances']['scores'][0] = float('nan')
    with pytest.raises(ValueError, match="predictions of '1' are not finite: the weights diverged"):
        SalientInstanceMetric(truth).process(None, samples)
    with pytest.raises(ValueError, match="protocol must be one of 'coco', 's4net', got 'voc'"):
        SalientInstanceMetric(protocol='voc')
    with pytest.raises(ValueError, match=r"kinds must be a list of .*, got 'mask'"):
        SalientInstanceMetric(kinds='mask')


def measure_half(rank, port, truth, results):
    torch.distributed.init_process_group(
        'gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2
    )
    metric = SalientInstanceMetric(truth)
    # As DefaultSampler deals them: in turn, and the first once more to fill up.
    samples = predict(truth)
    metric.process(None, [*samples, samples[0]][rank::2])
    torch.save(metric.evaluate(5), results / f'{rank}.pth')
    torch.distributed.destroy_process_group()


def test_two_processes_measure_as_one(truth, free_port, tmp_path):
    # Forked: spawned processes would import the hosts again, which takes most of a minute.
    multiprocessing.start_processes(
        measure_half, (free_port, truth, tmp_path), nprocs=2, start_method='fork'
    )
    metric = SalientInstanceMetric(truth)
    metric.process(None, predict(truth))
    alone = metric.evaluate(5)
    assert torch.load(tmp_path / '0.pth') == torch.load(tmp_path / '1.pth') == alone


def test_images_that_the_ground_truth_lacks_are_named(truth):
    metric = SalientInstanceMetric(truth)
    metric.process(None, [{**predict(truth)[0], 'img_id': 77}])
    with pytest.raises(DataError, match=r"truth\.json' has no images of the ids 77"):
        metric.evaluate(1)
