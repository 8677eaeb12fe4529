"""Data sets, mappers and evaluators of the detectron2 adapter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('detectron2.data', exc_type=ImportError)

import detectron2.data.transforms as T
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.structures import Boxes, Instances
from detectron2.utils.visualizer import Visualizer

import sod_plugins.detectron2 as adapter
from sod_plugins.data import DataError, annotations_by_image, read_image, read_instances, read_mask
from sod_plugins.data.sampling import SampleOrder, sample_rng
from sod_plugins.metrics import evaluate_folders, score_instances
from sod_plugins.transforms import MultiSizeResize, RandomMarginCrop, RandomSaliencyFlip


def registered(name):
    """Forget a data set after a test has registered it."""
    DatasetCatalog.pop(name, None)
    MetadataCatalog.pop(name, None)
    return name


@pytest.fixture
def saliency(scenes):
    name = registered('toy-saliency')
    adapter.register_saliency_dataset(name, scenes / 'train')
    yield name
    registered(name)


@pytest.fixture
def instances(scenes):
    name = registered('toy-instances')
    folder = scenes / 'test'
    adapter.register_salient_instances(name, folder / 'annotations.json', folder / 'images')
    yield name
    registered(name)


def test_saliency_records(saliency, scenes):
    records = DatasetCatalog.get(saliency)
    assert len(records) == 8
    first = records[0]
    assert Path(first['file_name']) == scenes / 'train/images/000000.jpg'
    assert Path(first['sem_seg_file_name']) == scenes / 'train/masks/000000.png'
    assert (first['height'], first['width'], first['image_id']) == (48, 64, '000000')
    assert MetadataCatalog.get(saliency).stuff_classes == ['background', 'salient']


def test_a_preset_needs_its_number_of_samples(scenes):
    with pytest.raises(DataError, match='10553 pairs, but 8 were found'):
        adapter.saliency_records(scenes / 'train', 'duts-tr')


def test_instance_records_are_class_agnostic(scenes, tmp_path):
    coco = json.loads((scenes / 'test/annotations.json').read_text())
    coco['categories'] = [{'id': 17, 'name': 'cat'}]
    for annotation in coco['annotations']:
        annotation['category_id'] = 17
    coco['annotations'][0]['iscrowd'] = 1
    (tmp_path / 'cats.json').write_text(json.dumps(coco))
    records = adapter.instance_records(tmp_path / 'cats.json', scenes / 'test/images')
    entries = [entry for record in records for entry in record['annotations']]
    assert {entry['category_id'] for entry in entries} == {0}
    assert sum(entry['iscrowd'] for entry in entries) == 1
    mapper = adapter.InstanceMapper(is_train=True)
    kept = sum(len(mapper(record)['instances']) for record in records)
    assert kept == len(entries) - 1  # the crowd


def test_the_mapper_transforms_as_the_package_does(saliency):
    record = DatasetCatalog.get(saliency)[2]
    chosen = [RandomMarginCrop(max_margin=5), RandomSaliencyFlip(0.5, ['vertical'])]
    sample = adapter.SaliencyMapper(is_train=True, transforms=chosen)(
        {**record, 'rng': sample_rng(3, 4, 5)}
    )
    image, mask = read_image(record['file_name']), read_mask(record['sem_seg_file_name'])
    generator = sample_rng(3, 4, 5)
    for transform in chosen:
        image, mask = transform.apply(image, mask, generator)
    np.testing.assert_array_equal(sample['image'], image.transpose(2, 0, 1))
    np.testing.assert_array_equal(sample['sem_seg'], mask)
    assert ((sample['sem_seg'] > 0) & (sample['sem_seg'] < 1)).any()  # soft edges


def test_transforms_by_name_equal_those_given(saliency):
    record = DatasetCatalog.get(saliency)[0]
    cfg = get_cfg()
    adapter.add_sod_plugins_config(cfg)
    cfg.INPUT.FORMAT = 'BGR'
    cfg.SOD.TRANSFORMS = [{'type': 'RandomMarginCrop', 'max_margin': 5}]
    by_name = adapter.SaliencyMapper(cfg, is_train=True)
    given = adapter.SaliencyMapper(transforms=[RandomMarginCrop(max_margin=5)])
    first, second = (m({**record, 'rng': sample_rng(0, 0, 0)}) for m in (by_name, given))
    assert torch.equal(first['image'], second['image'].flip(0))
    cfg.SOD.TRANSFORMS = [{'type': 'RandomMarginCropp'}]
    with pytest.raises(ValueError, match=r"type .* must be one of .* mean 'RandomMarginCrop'\?"):
        adapter.SaliencyMapper(cfg)


def test_a_test_sample_is_the_whole_image_without_a_mask(saliency):
    record = DatasetCatalog.get(saliency)[0]
    sample = adapter.SaliencyMapper(is_train=False)(record)
    np.testing.assert_array_equal(
        sample['image'].numpy(), read_image(record['file_name']).transpose(2, 0, 1)
    )
    assert 'sem_seg' not in sample


def test_samples_are_functions_of_seed_and_draw(saliency):
    mapper = adapter.SaliencyMapper(transforms=[RandomSaliencyFlip()])
    loader = adapter.build_train_loader(saliency, mapper, total_batch_size=2, seed=7)
    batches = iter(loader)
    drawn = [sample for _ in range(5) for sample in next(batches)]
    order = SampleOrder(8, 7, True, True, rank=0, world_size=1).draws()
    records = DatasetCatalog.get(saliency)
    for sample, draw in zip(drawn, order, strict=False):
        expected = mapper({**records[int(draw)], 'rng': sample_rng(7, draw.draw, int(draw))})
        assert sample['file_name'] == records[int(draw)]['file_name']
        assert torch.equal(sample['image'], expected['image'])


def test_all_images_of_a_batch_have_the_size_of_their_epoch(saliency):
    sizes = [(32, 32), (64, 48), (16, 80)]
    mapper = adapter.SaliencyMapper(transforms=[MultiSizeResize(sizes=sizes, draws_per_size=8)])
    loader = adapter.build_train_loader(saliency, mapper, total_batch_size=4, seed=0)
    batches = iter(loader)
    found = [{tuple(s['image'].shape[1:]) for s in next(batches)} for _ in range(8)]
    assert found == [{size} for size in (*sizes, sizes[0]) for _ in range(2)]


def test_instances_follow_the_host_s_augmentations(instances):
    record = max(DatasetCatalog.get(instances), key=lambda r: len(r['annotations']))
    mapper = adapter.InstanceMapper(augmentations=[T.RandomFlip(prob=1.0)])
    sample = mapper(record)
    truth = sample['instances']
    plain = adapter.InstanceMapper()(record)
    assert torch.equal(sample['image'], plain['image'].flip(2))
    masks = plain['instances'].gt_masks.tensor.flip(2)
    assert torch.equal(truth.gt_masks.tensor, masks)
    assert torch.equal(truth.gt_boxes.tensor, truth.gt_masks.get_bounding_boxes().tensor)
    drawn = Visualizer(read_image(record['file_name'])).draw_dataset_dict(record)
    assert (drawn.get_image() != read_image(record['file_name'])).any()


def test_saliency_measures_equal_those_of_the_saved_maps(scenes, tmp_path):
    records = adapter.saliency_records(scenes / 'test')
    evaluator = adapter.SaliencyEvaluator(measures=['all'], output_dir=tmp_path)
    evaluator.reset()
    generator = torch.Generator().manual_seed(0)
    for record in records:
        mask = torch.from_numpy(read_mask(record['sem_seg_file_name']).copy())
        noise = torch.rand(mask.shape, generator=generator)
        evaluator.process([record], [{'saliency': 0.7 * mask + 0.3 * noise}])
    results = evaluator.evaluate()
    expected = evaluate_folders(tmp_path / 'maps', scenes / 'test/masks', measures=['all'])
    assert results['saliency'] == expected.measures
    assert json.loads((tmp_path / 'measures.json').read_text())


def test_a_map_that_is_not_finite_stops_the_test(scenes):
    (record, *_) = adapter.saliency_records(scenes / 'test')
    with pytest.raises(ValueError, match='not finite'):
        adapter.SaliencyEvaluator().process([record], [{'saliency': torch.full((48, 64), np.nan)}])


def test_instance_measures(instances, scenes):
    """The ground truth scores 1; without its masks only boxes can be scored."""
    records = DatasetCatalog.get(instances)
    coco = read_instances(scenes / 'test/annotations.json')
    by_image = annotations_by_image(coco)
    assert {r['image_id'] for r in records} == by_image.keys()
    evaluator = adapter.SalientInstanceEvaluator(instances)
    boxes_only = adapter.SalientInstanceEvaluator(instances, kinds=['box'])
    for each in (evaluator, boxes_only):
        each.reset()
    mapper = adapter.InstanceMapper()
    for record in records:
        truth = mapper(record)['instances']
        found = Instances((48, 64), pred_boxes=Boxes(truth.gt_boxes.tensor))
        found.scores, found.pred_classes = torch.ones(len(truth)), truth.gt_classes
        boxes_only.process([record], [{'instances': found}])
        found.pred_masks = truth.gt_masks.tensor
        evaluator.process([record], [{'instances': found}])
    measures = evaluator.evaluate()['instances']
    expected = score_instances(perfect(coco), coco).measures
    assert measures == expected
    assert measures['mask_ap50'] == measures['mask_ap70'] == 1
    assert set(boxes_only.evaluate()['instances']) == {k for k in measures if k.startswith('box')}


def perfect(coco):
    return [{**annotation, 'score': 1.0} for annotation in coco['annotations']]
