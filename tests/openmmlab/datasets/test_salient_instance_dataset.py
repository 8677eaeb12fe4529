from __future__ import annotations

import json
import random

import numpy as np
import pytest
import torch
from PIL import Image

from sod_plugins.data import DataError, encode_rle
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.openmmlab.datasets import SalientInstanceDataset
from sod_plugins.openmmlab.datasets.samplers import SampleIndex
from sod_plugins.openmmlab.metrics import SalientInstanceMetric


@pytest.fixture
def folder(tmp_path):
    """Two photos, the first with two instances, the second with none."""
    masks = np.zeros((2, 24, 32), dtype=bool)
    masks[0, 2:12, 3:9] = masks[1, 5:20, 6:30] = True
    coco = new_coco()
    add_image(coco, 'a.png', (24, 32), masks)
    add_image(coco, 'b.png', (24, 32), [])
    coco['annotations'][1] |= {'iscrowd': 1, 'category_id': 5}
    (tmp_path / 'photos').mkdir()
    for name in ('a.png', 'b.png'):
        pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'photos' / name)
    (tmp_path / 'instances.json').write_text(json.dumps(coco))
    return tmp_path


def make(folder, pipeline=(), **more):
    return SalientInstanceDataset(
        'instances.json', folder, data_prefix=dict(img='photos'), pipeline=pipeline, **more
    )


def test_samples_are_those_of_mmdet(folder):
    dataset = make(folder)
    first, second = dataset[0], dataset[1]
    assert (first['img_path'], first['img_id']) == (str(folder / 'photos' / 'a.png'), 0)
    assert (first['height'], first['width']) == (24, 32)
    masks = np.zeros((2, 24, 32), dtype=bool)
    masks[0, 2:12, 3:9] = masks[1, 5:20, 6:30] = True
    assert first['instances'] == [
        {'bbox': [3, 2, 9, 12], 'bbox_label': 0, 'mask': encode_rle(masks[0]), 'ignore_flag': 0},
        {'bbox': [6, 5, 30, 20], 'bbox_label': 0, 'mask': encode_rle(masks[1]), 'ignore_flag': 1},
    ]
    assert second['instances'] == []
    assert dataset.metainfo['classes'] == ('salient',)
    assert dataset.metainfo['ann_file'] == str(folder / 'instances.json')


def test_bad_annotations_end_the_run_before_it_begins(folder):
    coco = json.loads((folder / 'instances.json').read_text())
    coco['annotations'][0]['bbox'][2] = 0
    (folder / 'instances.json').write_text(json.dumps(coco))
    (folder / 'photos' / 'b.png').write_text('damaged')
    with pytest.raises(DataError) as caught:
        make(folder)
    assert "photos/b.png': it is not an image" in str(caught.value)
    assert "image 'a.png', annotation 1: its box [3, 2, 0, 10] is empty." in str(caught.value)


def test_bad_entries_are_left_out_when_asked(folder):
    coco = json.loads((folder / 'instances.json').read_text())
    coco['annotations'][0]['bbox'][2] = 0
    (folder / 'instances.json').write_text(json.dumps(coco))
    (folder / 'photos' / 'b.png').write_text('damaged')
    dataset = make(folder, skip_bad=True)
    assert len(dataset) == 1 and dataset.metainfo['skip_bad']
    assert [instance['bbox'] for instance in dataset[0]['instances']] == [[6, 5, 30, 20]]
    metric = SalientInstanceMetric(kinds=['box'])
    metric.dataset_meta = dataset.metainfo
    box = {'scores': torch.ones(1), 'bboxes': torch.tensor([[6.0, 5, 30, 20]])}
    coco['annotations'][1]['iscrowd'] = 0
    (folder / 'instances.json').write_text(json.dumps(coco))
    metric.process(None, [{'img_id': 0, 'pred_instances': box}])
    assert metric.evaluate(1)['instances/box_map'] == pytest.approx(1)


def test_transforms_that_draw_globally_are_functions_of_seed_draw_and_index(folder):
    def draw(results):
        return np.random.rand(), random.random(), results['rng'].random()

    dataset = make(folder, [draw])
    view = dataset[SampleIndex(1, draw=7)]
    np.random.seed(0)
    random.seed(0)
    state = np.random.get_state()[1].tolist(), random.getstate()
    assert dataset[SampleIndex(1, draw=7)] == view
    # Whoever draws outside the pipeline draws what he would have drawn without it.
    assert (np.random.get_state()[1].tolist(), random.getstate()) == state
    others = [dataset[SampleIndex(1, draw=8)], dataset[SampleIndex(0, draw=7)]]
    others.append(make(folder, [draw], seed=1)[SampleIndex(1, draw=7)])
    for other in others:
        assert all(value != same for value, same in zip(other, view, strict=True))


@pytest.mark.mmdet
def test_pipeline_of_mmdet(folder):
    pytest.importorskip('mmdet.datasets.transforms')
    from mmengine.registry import DefaultScope

    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
        dict(type='Resize', scale=(64, 48), keep_ratio=False),
        dict(type='RandomFlip', prob=0.5),
        dict(type='PackDetInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmdet'):
        dataset = make(folder, steps)
        packed = [dataset[SampleIndex(0, draw=draw)] for draw in range(20)]
        again = dataset[SampleIndex(0, draw=3)]
        empty = dataset[SampleIndex(1, draw=0)]['data_samples'].gt_instances
    assert len(empty.bboxes) == len(empty.masks) == 0
    photo = np.asarray(Image.open(folder / 'photos' / 'a.png'))
    flips = []
    for results in packed:
        sample = results['data_samples']
        flips.append(sample.flip)
        assert results['inputs'].shape == (3, 48, 64)
        left, top, right, bottom = 6, 4, 18, 24  # the first instance, twice as large
        if sample.flip:
            left, right = 64 - right, 64 - left
        boxes = sample.gt_instances.bboxes.tensor
        assert boxes.tolist() == [[left, top, right, bottom]]
        mask = sample.gt_instances.masks.masks[0].astype(bool)
        assert mask[top:bottom, left:right].all() and mask.sum() == 12 * 20
        corner = results['inputs'][:, 0, -1 if sample.flip else 0]
        assert corner.tolist() == photo[0, 0, ::-1].tolist()  # mmcv reads BGR
        assert sample.ignored_instances.bboxes.tensor.shape == (1, 4)
    assert {True, False} == set(flips)
    assert again['data_samples'].flip == flips[3]
