"""Every measure of the registry against PySODMetrics, and against values that it gave once."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from shared_data import shared_file

from sod_plugins.metrics import MEASURES, SaliencyEvaluator, evaluate_folders

# What the package promises; in fact both differ by some 1e-15.
TOLERANCE = 1e-6
STORED = Path(__file__).parent / 'drawn_images_pysodmetrics_1_6_2.json'
# Our name of a binary measure -> PySODMetrics' handler, and its name in the stored values.
BINARY = {
    'precision': ('PrecisionHandler', 'pre'),
    'recall': ('RecallHandler', 'rec'),
    'specificity': ('SpecificityHandler', 'spec'),
    'f': ('FmeasureHandler', 'fm'),
    'dice': ('DICEHandler', 'dice'),
    'iou': ('IOUHandler', 'iou'),
    'accuracy': ('OverallAccuracyHandler', 'oa'),
    'kappa': ('KappaHandler', 'kappa'),
    'ber': ('BERHandler', 'ber'),
}


def draw_image(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a soft map with false alarms, and a mask of two ellipses and a few small blots."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:60, :80]
    mask = (rows - 20 - seed) ** 2 / 100 + (columns - 20) ** 2 / 150 < 1
    mask |= (rows - 40) ** 2 / 36 + (columns - 60 + 3 * seed) ** 2 / 16 < 1
    mask[5:9, 70:74] = True  # 16 pixels, too few for an object beside larger ones
    noise = gaussian_filter(rng.standard_normal(mask.shape), 3)
    soft = gaussian_filter(mask.astype(float), 2) + 1.5 * noise / np.ptp(noise)
    prediction = 255 / (1 + np.exp(-6 * (soft - 0.5)))
    return prediction.astype(np.uint8), mask.astype(np.uint8) * 255


def area(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the area under curves (..., T), which run from the highest threshold to the lowest."""
    return ((x[..., 1:] - x[..., :-1]) * (y[..., 1:] + y[..., :-1]) / 2).sum(axis=-1)


def score_reference(samples) -> dict[str, float]:
    reference = pytest.importorskip('py_sod_metrics')
    flags = {'with_dynamic': True, 'with_adaptive': True, 'with_binary': True}
    handlers = {name: getattr(reference, kind)(**flags) for name, (kind, _) in BINARY.items()}
    dynamic = {'with_dynamic': True, 'with_adaptive': False}
    curves = {
        name: getattr(reference, kind)
        for name, kind in (
            ('p', 'PrecisionHandler'),
            ('r', 'RecallHandler'),
            ('fpr', 'FPRHandler'),
            ('f', 'FmeasureHandler'),
        )
    }
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Fmeasure announces its successor
        plain = reference.FmeasureV2(handlers | {'fpr': reference.FPRHandler(**dynamic)})
        by_object = reference.SizeInvarianceFmeasureV2(
            {name: handler(**dynamic) for name, handler in curves.items()}
        )
        e, s = reference.Emeasure(), reference.Smeasure()
        weighted, mae = reference.WeightedFmeasure(), reference.MAE()
        si_mae = reference.SizeInvarianceMAE()
    for prediction, mask in samples:
        for measure in (plain, by_object, e, s, weighted, mae, si_mae):
            measure.step(prediction, mask)
    found = plain.get_results()
    values = {
        'weighted_f': weighted.get_results()['wfm'],
        's_measure': s.get_results()['sm'],
        'max_e': e.get_results()['em']['curve'].max(),
        'mean_e': e.get_results()['em']['curve'].mean(),
        'adp_e': e.get_results()['em']['adp'],
        'mae': mae.get_results()['mae'],
        'si_mae': si_mae.get_results()['si_mae'],
        'auc_pr': area(found['precision']['dynamic'], found['recall']['dynamic']),
        'auc_roc': area(found['recall']['dynamic'], found['fpr']['dynamic']),
    }
    for name in BINARY:
        values[name] = found[name]['binary']
        values[f'adp_{name}'] = found[name]['adaptive']
        values[f'max_{name}'] = found[name]['dynamic'].max()
        values[f'mean_{name}'] = found[name]['dynamic'].mean()
    objects = {name: result['dynamic'] for name, result in by_object.get_results().items()}
    images = range(len(samples))
    values['si_max_f'] = np.mean([objects['f'][i].max(axis=-1).mean() for i in images])
    values['si_mean_f'] = np.mean([objects['f'][i].mean(axis=-1).mean() for i in images])
    for key, y, x in (('si_auc_pr', 'p', 'r'), ('si_auc_roc', 'r', 'fpr')):
        values[key] = np.mean([area(objects[y][i], objects[x][i]).mean() for i in images])
    del values['max_ber']
    return {key: float(value) for key, value in values.items()}


def score_ours(samples) -> dict[str, float]:
    evaluator = SaliencyEvaluator(measures=['all'])
    for prediction, mask in samples:
        evaluator.step(prediction, mask)
    return known_to_reference(evaluator.results())


def known_to_reference(values: dict[str, float]) -> dict[str, float]:
    """Leave out Cohen's kappa, of which the reference has a variant."""
    return {key: value for key, value in values.items() if not key.endswith('cohen_kappa')}


def test_every_measure_keeps_the_values_of_three_drawn_images():
    stored = json.loads(STORED.read_text())
    found = score_ours([draw_image(seed) for seed in range(3)])
    assert found == pytest.approx(stored, abs=TOLERANCE)


def test_every_measure_equals_the_reference_on_drawn_images():
    samples = [draw_image(seed) for seed in range(6)]
    assert score_ours(samples) == pytest.approx(score_reference(samples), abs=TOLERANCE)


def odd_samples() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return inputs on which size-invariant and binary measures take another path."""
    rng = np.random.default_rng(3)
    prediction = rng.integers(0, 256, (30, 40), dtype=np.uint8)
    speckle = (rng.random((30, 40)) < 0.1).astype(np.uint8) * 255
    one, two = np.zeros((2, 30, 40), np.uint8)
    one[3:20, 5:30] = 255
    two[2:14, 2:14] = two[4:8, 18:30] = two[10:28, 10:38] = 255  # two boxes that overlap
    two[10:14, 2:14] = 0
    return {
        'no object': (prediction, np.zeros((30, 40), np.uint8)),
        'only small objects': (prediction, speckle),
        'one object': (prediction, one),
        'overlapping boxes': (prediction, two),
        'empty map': (np.zeros((30, 40), np.uint8), two),
        'full map': (np.full((30, 40), 255, np.uint8), two),
        'perfect map': (two, two),
    }


@pytest.mark.parametrize('name', odd_samples())
def test_every_measure_equals_the_reference_on_odd_inputs(name):
    samples = [odd_samples()[name]]
    assert score_ours(samples) == pytest.approx(score_reference(samples), abs=TOLERANCE)


def test_a_full_mask_is_one_object_where_the_reference_fails():
    prediction = np.full((20, 20), 255, np.uint8)
    prediction[0] = 0
    found = score_ours([(prediction, np.full((20, 20), 255, np.uint8))])
    assert found['si_mae'] == pytest.approx(found['mae']) == pytest.approx(1 / 20)
    assert found['si_max_f'] == pytest.approx(found['max_f'])


@pytest.mark.parametrize('protocol', ['salmetric', 'fastsaliency', 'survey'])
def test_every_measure_is_defined_under_every_protocol(protocol):
    evaluator = SaliencyEvaluator(protocol, ['all'])
    for prediction, mask in odd_samples().values():
        evaluator.step(prediction, mask)
    found = evaluator.results()
    assert list(found) == list(MEASURES)
    assert all(-1 <= value <= 1.01 for value in found.values())


@pytest.mark.shared_data
def test_the_references_own_data_give_its_authors_values():
    folder = shared_file('cases/pysodmetrics')
    found = evaluate_folders(
        folder / 'preds', folder / 'masks', measures=['all'], progress=False
    ).measures
    stored: dict[str, float] = {}
    for version in ('v1_4_3', 'v1_5_0'):
        stored |= json.loads((folder / 'version_performance.json').read_text())[version]
    expected = {
        'weighted_f': stored['wFmeasure'],
        's_measure': stored['Smeasure'],
        'max_e': stored['maxEm'],
        'mean_e': stored['meanEm'],
        'adp_e': stored['adpEm'],
        'mae': stored['MAE'],
        'auc_pr': stored['auc_pr'],
        'auc_roc': stored['auc_roc'],
        'si_mae': stored['si_mae'],
        'si_max_f': stored['si_sample_maxfm'],
        'si_mean_f': stored['si_sample_meanfm'],
        'si_auc_pr': stored['si_sample_auc_pr'],
        'si_auc_roc': stored['si_sample_auc_roc'],
    }
    for name, (_, theirs) in BINARY.items():
        for ours, prefix in (
            ('', 'sample_bi'),
            ('adp_', 'adp'),
            ('max_', 'max'),
            ('mean_', 'mean'),
        ):
            expected[f'{ours}{name}'] = stored[f'{prefix}{theirs}']
    del expected['max_ber']
    assert known_to_reference(found) == pytest.approx(expected, abs=TOLERANCE)


if __name__ == '__main__':  # writes the stored values anew
    values = score_reference([draw_image(seed) for seed in range(3)])
    STORED.write_text(json.dumps(values, indent=1) + '\n')
