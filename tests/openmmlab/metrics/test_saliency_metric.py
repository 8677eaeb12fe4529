from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger
from PIL import Image

from sod_plugins.data import DataError
from sod_plugins.metrics import MEASURE_NAMES, Measure, evaluate_folders, register_measure
from sod_plugins.openmmlab.metrics import SaliencyMetric


def sample(saliency, image, mask):
    return {
        'img_path': str(image),
        'seg_map_path': str(mask),
        'seg_logits': {'data': torch.as_tensor(saliency, dtype=torch.float32)[None]},
    }


@pytest.fixture
def samples(photos):
    """Predict noisy masks of the original sizes."""
    rng = np.random.default_rng(1)
    made = []
    for mask in sorted((photos / 'masks').iterdir()):
        values = np.asarray(Image.open(mask)) / 255
        saliency = 0.6 * values + 0.4 * rng.random(values.shape)
        made.append(sample(saliency, photos / 'images' / mask.name, mask))
    return made


@pytest.mark.parametrize('protocol', ['pysodmetrics', 'salmetric'])
def test_equals_the_evaluation_of_the_saved_maps(protocol, samples, photos, tmp_path):
    metric = SaliencyMetric(protocol, out_dir=tmp_path)
    metric.process(None, samples[:6])
    metric.process(None, samples[6:])
    results = metric.evaluate(len(samples))
    offline = evaluate_folders(
        tmp_path / 'maps', photos / 'masks', protocol=protocol, workers=1, progress=False
    )
    assert results == {f'saliency/{key}': value for key, value in offline.measures.items()}
    assert offline.count == 11


def test_computes_the_chosen_measures(samples, tmp_path):
    metric = SaliencyMetric(out_dir=tmp_path, measures=['mae', 'si_mae', 'max_kappa'])
    metric.process(None, samples)
    results = metric.evaluate(len(samples))
    assert list(results) == ['saliency/mae', 'saliency/si_mae', 'saliency/max_kappa']
    everything = SaliencyMetric(measures=['all'])
    everything.process(None, samples)
    assert results.items() <= everything.evaluate(len(samples)).items()
    with (tmp_path / 'per_image.csv').open() as file:
        assert next(csv.reader(file)) == ['stem', 'protocol', 'mae', 'si_mae', 'max_kappa']
    with pytest.raises(ValueError, match='measures must be one of'):
        SaliencyMetric(measures=['mea'])


def test_computes_measures_that_a_user_registered(samples, restored_registry):
    register_measure(Measure('area', 'area', 'higher', lambda image: image.mask.mean()))
    metric = SaliencyMetric()
    metric.process(None, samples)
    results = metric.evaluate(len(samples))
    masks = [np.asarray(Image.open(sample['seg_map_path'])) > 128 for sample in samples]
    assert results['saliency/area'] == pytest.approx(np.mean([mask.mean() for mask in masks]))
    assert len(results) == 12


def test_saves_maps_measures_and_curves(samples, tmp_path):
    metric = SaliencyMetric(out_dir=tmp_path)
    metric.process(None, samples)
    results = metric.evaluate(len(samples))
    saved = np.asarray(Image.open(tmp_path / 'maps' / '03.png'))
    saliency = samples[3]['seg_logits']['data'][0].numpy()
    np.testing.assert_array_equal(saved, np.floor(saliency * np.float32(255)))
    record = json.loads((tmp_path / 'measures.json').read_text())
    assert {f'saliency/{key}': record[key] for key in MEASURE_NAMES} == results
    assert record['protocol'] == 'pysodmetrics'
    with (tmp_path / 'per_image.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['stem'] for row in rows] == [f'{index:02d}' for index in range(11)]
    assert np.mean([float(row['mae']) for row in rows]) == pytest.approx(results['saliency/mae'])


def test_results_start_anew_after_each_evaluation(samples):
    metric = SaliencyMetric()
    metric.process(None, samples)
    first = metric.evaluate(len(samples))
    metric.process(None, samples)
    assert metric.evaluate(len(samples)) == first


def test_protocol_is_printed(samples, monkeypatch):
    lines = []
    monkeypatch.setattr(MMLogger, 'info', lambda self, message, *args: lines.append(message))
    metric = SaliencyMetric('survey')
    metric.process(None, samples)
    metric.evaluate(len(samples))
    assert lines == ['Saliency measures of 11 images, protocol survey']


def test_refuses_nonsense(samples, photos, tmp_path):
    with pytest.raises(ValueError, match='best'):
        SaliencyMetric('best')
    wrong = sample(np.zeros((3, 3)), photos / 'images/00.png', photos / 'masks/00.png')
    with pytest.raises(DataError, match=r"'00'.*3x3"):
        SaliencyMetric().process(None, [wrong])
    diverged = sample(np.full((3, 3), np.nan), photos / 'images/00.png', photos / 'masks/00.png')
    with pytest.raises(ValueError, match=r"map of '00'.*not finite"):
        SaliencyMetric().process(None, [diverged])
    namesake = {**samples[0], 'img_path': '/elsewhere/00.jpg'}
    with pytest.raises(DataError, match='same stem'):
        SaliencyMetric(out_dir=tmp_path).process(None, [samples[0], namesake])
