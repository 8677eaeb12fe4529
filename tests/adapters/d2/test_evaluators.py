"""Evaluators on the host's own models, in several processes, and what a test can save."""

from __future__ import annotations

import json

import d2_processes
import numpy as np
import pytest
import torch
from d2_models import YAML_BACKBONES, yaml_config
from PIL import Image
from reference_values import settle_statistics

pytest.importorskip('detectron2.evaluation', exc_type=ImportError)

from detectron2.engine import launch
from detectron2.evaluation import inference_on_dataset
from detectron2.modeling import build_model
from detectron2.modeling.meta_arch import SemanticSegmentor

import sod_plugins.detectron2 as adapter
from sod_plugins.data import DataError, read_image, save_png
from sod_plugins.metrics import evaluate_folders
from sod_plugins.visualization.instance_overlays import draw_instances
from sod_plugins.visualization.overlays import tint_saliency


def test_the_host_s_segmentor_is_scored_by_its_logits(scenes, tmp_path):
    """As the maps of its sigmoid would be, saved and scored by ``sod eval``."""
    torch.manual_seed(0)
    text = f"""{YAML_BACKBONES['FPN']}
  META_ARCHITECTURE: SemanticSegmentor
  SEM_SEG_HEAD: {{NAME: CSFHead, IN_FEATURES: [p2, p3, p4, p5]}}
"""
    model = build_model(yaml_config(text, tmp_path)).eval()
    assert type(model) is SemanticSegmentor
    settle_statistics(model.backbone, torch.randn(2, 3, 64, 64))
    loader = adapter.build_test_loader(
        adapter.saliency_records(scenes / 'test'), adapter.SaliencyMapper(is_train=False)
    )
    found = inference_on_dataset(model, loader, adapter.SaliencyEvaluator(measures=['all']))
    with torch.no_grad():
        for (sample,) in loader:
            saliency = model([sample])[0]['sem_seg'][0].sigmoid().numpy()
            path = tmp_path / 'maps' / f'{sample["image_id"]}.png'
            save_png(path, (saliency * 255).astype(np.uint8))
    expected = evaluate_folders(tmp_path / 'maps', scenes / 'test/masks', measures=['all'])
    assert found['saliency'] == expected.measures


def test_several_classes_are_no_saliency(scenes):
    (record, *_) = adapter.saliency_records(scenes / 'test')
    with pytest.raises(ValueError, match="'sem_seg' of one channel"):
        adapter.SaliencyEvaluator().process([record], [{'sem_seg': torch.zeros(2, 48, 64)}])


def test_two_processes_find_what_one_finds(scenes, tmp_path):
    """Three images, so that one process has more than the other."""
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        words = (str(scenes), str(tmp_path / str(count)))
        launch(d2_processes.evaluate, count, dist_url='auto', args=words)
    alone, both = (json.loads((tmp_path / n / 'results.json').read_text()) for n in '12')
    assert (alone.pop('processes'), both.pop('processes')) == (1, 2)
    assert alone.keys() == {'saliency', 'instances'}
    assert alone == both
    saved = {path.relative_to(tmp_path / '1') for path in (tmp_path / '1').rglob('*.*')}
    assert saved == {path.relative_to(tmp_path / '2') for path in (tmp_path / '2').rglob('*.*')}
    assert len([path for path in saved if path.suffix == '.png']) == 3
    for path in saved:
        if path.name != 'results.json':
            one, two = ((tmp_path / n / path).read_bytes().splitlines() for n in '12')
            # The rows of a table are those of one process after those of the other.
            assert sorted(one) == sorted(two), path
            assert path.suffix == '.csv' or one == two, path


def test_images_tinted_by_their_saliency(scenes, tmp_path):
    record = adapter.saliency_records(scenes / 'test')[0]
    saliency = torch.rand(48, 64, generator=torch.Generator().manual_seed(0))
    evaluator = adapter.SaliencyEvaluator(show_dir=tmp_path)
    evaluator.process([record], [{'saliency': saliency}])
    image = read_image(record['file_name'])
    drawn = np.asarray(Image.open(tmp_path / f'{record["image_id"]}.png'))
    np.testing.assert_array_equal(drawn, tint_saliency(image, saliency.numpy()))
    with pytest.raises(DataError, match='have the same stem'):
        elsewhere = {**record, 'file_name': f'/elsewhere/{record["image_id"]}.jpg'}
        evaluator.process([elsewhere], [{'saliency': saliency}])


def test_images_overlaid_with_their_instances(scenes, tmp_path):
    folder = scenes / 'test'
    record = adapter.instance_records(folder / 'annotations.json', folder / 'images')[0]
    evaluator = adapter.SalientInstanceEvaluator(
        ann_file=folder / 'annotations.json', show_dir=tmp_path
    )
    sample = adapter.InstanceMapper(is_train=False)(record)
    (output,) = d2_processes.Guess()([sample])
    output['instances'].scores = torch.tensor([0.9, 0.1])  # the second is not drawn
    evaluator.process([sample], [output])
    found = output['instances']
    parts = (found.pred_masks, found.scores, found.pred_boxes.tensor)
    image = read_image(record['file_name'])
    expected = draw_instances(image, *(part[:1].numpy() for part in parts))
    (path,) = tmp_path.iterdir()
    np.testing.assert_array_equal(np.asarray(Image.open(path)), expected)
    found.remove('pred_masks')
    boxes = adapter.SalientInstanceEvaluator(
        ann_file=folder / 'annotations.json', kinds=['box'], show_dir=tmp_path
    )
    with pytest.raises(ValueError, match='no masks to draw'):
        boxes.process([sample], [output])


def test_maps_refined_by_the_crf(scenes, tmp_path):
    pytest.importorskip('pydensecrf')
    from sod_plugins.inference.dense_crf import DenseCRF

    record = adapter.saliency_records(scenes / 'test')[0]
    saliency = torch.rand(48, 64, generator=torch.Generator().manual_seed(0))
    evaluator = adapter.SaliencyEvaluator(output_dir=tmp_path, crf={'iterations': 2})
    evaluator.process([record], [{'saliency': saliency}])
    image = read_image(record['file_name'])
    refined = DenseCRF(iterations=2).refine(image, saliency.numpy())
    saved = np.asarray(Image.open(tmp_path / 'maps' / f'{record["image_id"]}.png'))
    np.testing.assert_array_equal(saved, (refined.clip(0, 1) * 255).astype(np.uint8))
