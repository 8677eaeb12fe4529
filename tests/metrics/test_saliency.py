"""The default protocol against PySODMetrics, and how evaluators collect and merge."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from sod_plugins.data import DataError, read_mask
from sod_plugins.metrics import MEASURE_NAMES, PROTOCOLS, SaliencyEvaluator

# What the package promises; in fact both differ by some 1e-15.
TOLERANCE = 1e-6


def make_maps(size: tuple[int, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Make maps of the kinds on which implementations disagree, by name."""
    height, width = size
    flat = np.full(size, 77)
    one_pixel = np.zeros(size, int)
    one_pixel[rng.integers(height), rng.integers(width)] = 255
    half = np.zeros(size, int)
    half[:, width // 2 :] = 200
    maps = {
        'random': rng.integers(0, 256, size),
        'empty': np.zeros(size, int),
        'full': np.full(size, 255),
        'flat': flat,
        'nearly flat': flat + (one_pixel > 0),
        'one pixel': one_pixel,
        'half': half,
        'few levels': rng.choice([3, 60, 61, 250], size),
        'binary': rng.choice([0, 255], size),
        'narrow range': rng.integers(100, 110, size),
    }
    return {name: image.astype(np.uint8) for name, image in maps.items()}


def make_masks(size: tuple[int, int], rng: np.random.Generator) -> dict[str, np.ndarray]:
    height, width = size
    one_pixel = np.zeros(size, int)
    one_pixel[rng.integers(height - 1), rng.integers(width - 1)] = 255
    box = np.zeros(size, int)
    box[height // 4 : height // 2 + 1, width // 3 : width - 1] = 255
    masks = {
        'empty': np.zeros(size, int),
        'full': np.full(size, 255),
        'one pixel': one_pixel,
        'all but one': 255 - one_pixel,
        'box': box,
        'grey levels': rng.integers(0, 256, size),
        'around 128': rng.choice([127, 128, 129], size),
        'speckle': (rng.random(size) < 0.1) * 255,
    }
    return {name: image.astype(np.uint8) for name, image in masks.items()}


def score_reference(samples) -> tuple[dict[str, float], dict[str, np.ndarray]]:
    reference = pytest.importorskip('py_sod_metrics')
    flags = {'with_dynamic': False, 'with_adaptive': False, 'with_binary': True}
    handlers = {'iou': reference.IOUHandler(**flags), 'ber': reference.BERHandler(**flags)}
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Fmeasure announces its successor
        f, e, s = reference.Fmeasure(), reference.Emeasure(), reference.Smeasure()
        weighted, mae = reference.WeightedFmeasure(), reference.MAE()
        binary = reference.FmeasureV2(handlers)
        for prediction, mask in samples:
            for measure in (f, e, s, weighted, mae, binary):
                measure.step(prediction, mask)
    f_result, e_result, binary_result = f.get_results(), e.get_results()['em'], binary.get_results()
    # Its curves run from threshold 255 down to 0.
    curves = {
        'precision': f_result['pr']['p'][::-1],
        'recall': f_result['pr']['r'][::-1],
        'f': f_result['fm']['curve'][::-1],
        'e': e_result['curve'][::-1],
    }
    return {
        'max_f': curves['f'].max(),
        'mean_f': curves['f'].mean(),
        'adp_f': f_result['fm']['adp'],
        'weighted_f': weighted.get_results()['wfm'],
        's_measure': s.get_results()['sm'],
        'max_e': curves['e'].max(),
        'mean_e': curves['e'].mean(),
        'adp_e': e_result['adp'],
        'mae': mae.get_results()['mae'],
        'iou': binary_result['iou']['binary'],
        'ber': binary_result['ber']['binary'],
    }, curves


def assert_equals_reference(samples) -> None:
    evaluator = SaliencyEvaluator()
    for prediction, mask in samples:
        evaluator.step(prediction, mask)
    measures, curves = score_reference(samples)
    found = evaluator.evaluation()
    assert list(found.measures) == list(MEASURE_NAMES) == list(measures)
    for key, value in measures.items():
        assert found.measures[key] == pytest.approx(value, abs=TOLERANCE), key
    for key, curve in curves.items():
        np.testing.assert_allclose(found.curves[key], curve, atol=TOLERANCE, rtol=0, err_msg=key)
    np.testing.assert_allclose(found.curves['thresholds'] * 255, np.arange(256))


# Sizes at which the mean of a flat region is and is not exact, on which the reference's
# S-measure of that region hangs; each of the 80 pairs is an image of its own.
@pytest.mark.parametrize('size', [(9, 12), (16, 16), (31, 23), (64, 50)])
def test_every_kind_of_map_and_mask_equals_the_reference(size):
    rng = np.random.default_rng(size)
    maps, masks = make_maps(size, rng), make_masks(size, rng)
    pairs = [(prediction, mask) for prediction in maps.values() for mask in masks.values()]
    assert len(pairs) == 80
    for pair in pairs:
        assert_equals_reference([pair])
    assert_equals_reference(pairs)


def test_smooth_maps_of_a_real_size_equal_the_reference():
    rng = np.random.default_rng(5)
    samples = []
    for _ in range(3):
        mask = gaussian_filter(rng.standard_normal((300, 400)), 40) > 0
        noise = gaussian_filter(rng.standard_normal((300, 400)), 4)
        prediction = 255 / (1 + np.exp(-4 * (gaussian_filter(mask * 2.0 - 1, 5) + 4 * noise)))
        samples.append((prediction.astype(np.uint8), mask.astype(np.uint8) * 255))
    assert_equals_reference(samples)


@pytest.mark.shared_data
def test_real_masks_equal_the_reference(msra10k):
    rng = np.random.default_rng(6)
    samples = []
    for path in sorted((msra10k / 'masks').iterdir())[:3000:500]:
        mask = read_mask(path)
        noise = rng.standard_normal(mask.shape)
        prediction = gaussian_filter(mask, 6) * 180 + gaussian_filter(noise, 3) * 200
        samples.append((prediction.clip(0, 255).astype(np.uint8), mask.astype(np.uint8) * 255))
    assert len(samples) == 6
    assert_equals_reference(samples)


def test_an_object_centred_on_the_border_is_scored_where_the_reference_is_not_a_number():
    prediction = np.zeros((5, 6), np.uint8)
    prediction[4, 5] = 255
    expected, _ = score_reference([(prediction, prediction)])
    assert np.isnan(expected['s_measure'])
    found = SaliencyEvaluator().step(prediction, prediction)
    assert found['s_measure'] == pytest.approx(1, abs=1e-12)


def test_a_perfect_map():
    mask = np.zeros((10, 10), bool)
    mask[2:6, 3:9] = True
    found = SaliencyEvaluator().step(mask.astype(float), mask)
    ones = ('max_f', 'adp_f', 'weighted_f', 's_measure', 'iou')
    assert [found[key] for key in ones] == pytest.approx([1] * 5, abs=1e-12)
    assert (found['mae'], found['ber']) == (0, 0)
    # The E-measure divides the sum over n pixels by n - 1.
    assert [found['max_e'], found['adp_e']] == pytest.approx([100 / 99] * 2, abs=1e-12)
    # At threshold 0 everything is salient: F of precision 0.24 and recall 1.
    everything = 1.3 * 0.24 / (0.3 * 0.24 + 1)
    assert found['mean_f'] == pytest.approx((255 + everything) / 256, abs=1e-12)


@pytest.mark.parametrize('level', [0, 255])
@pytest.mark.parametrize('foreground', [False, True])
def test_an_image_of_one_pixel_has_scores_from_0_to_1(level, foreground):
    evaluator = SaliencyEvaluator(measures=['all'])
    evaluator.step(np.array([[level]], np.uint8), np.array([[foreground]]))
    found = evaluator.results()
    assert all(0 <= value <= 1 for value in found.values())
    assert found['adp_e'] == foreground  # from twice its mean on, a flat map is salient


def make_samples(count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(8)
    return [
        (rng.integers(0, 256, (9, 7), dtype=np.uint8), rng.random((9, 7)) < 0.4)
        for _ in range(count)
    ]


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_results_depend_neither_on_order_nor_on_processes(protocol):
    samples = make_samples(11)
    single = SaliencyEvaluator(protocol)
    for index, sample in enumerate(samples):
        single.step(*sample, stem=f'{index:02d}')
    merged = SaliencyEvaluator(protocol)
    for rank in (2, 0, 1):
        worker = SaliencyEvaluator(protocol)
        for index in range(rank, 11, 3):
            worker.step(*samples[index], stem=f'{index:02d}')
        merged.per_image.extend(pickle.loads(pickle.dumps(worker.per_image)))
    expected, found = single.evaluation(), merged.evaluation()
    assert found.measures == expected.measures  # to the last bit
    for key, curve in expected.curves.items():
        np.testing.assert_array_equal(found.curves[key], curve)
    assert found.per_image == expected.per_image
    assert [scores['stem'] for scores in found.per_image] == [f'{i:02d}' for i in range(11)]


def test_max_f_is_that_of_the_mean_curve_and_not_the_mean_of_maxima():
    evaluator = SaliencyEvaluator()
    for sample in make_samples(5):
        evaluator.step(*sample)
    own = np.mean([scores.measures['max_f'] for scores in evaluator.per_image])
    assert evaluator.results()['max_f'] == evaluator.curves()['f'].max() < own - 0.01


def test_floats_score_like_the_saved_map():
    saliency, mask = make_samples(1)[0]
    floats = (saliency.astype(np.float32) + np.float32(0.5)) / np.float32(255.5)
    saved = (floats * 255).astype(np.uint8)
    soft = mask.astype(np.float32)
    expected = SaliencyEvaluator().step(saved, mask)
    assert SaliencyEvaluator().step(floats, soft) == expected


@pytest.mark.parametrize(
    ('prediction', 'mask', 'message'),
    [
        (np.zeros((4, 5), np.uint8), np.zeros((5, 4), bool), 'is 5x4 but the mask is 4x5'),
        (np.zeros((1, 4, 5), np.uint8), np.zeros((4, 5), bool), r'prediction has shape \(1, 4, 5'),
        (np.zeros((0, 5), np.uint8), np.zeros((0, 5), bool), r'prediction has shape \(0, 5'),
        (np.zeros((4, 5), np.int64), np.zeros((4, 5), bool), 'prediction has type int64'),
        (np.full((4, 5), 1.5), np.zeros((4, 5), bool), 'values from 1.5 to 1.5'),
        (np.full((4, 5), np.nan), np.zeros((4, 5), bool), 'values from nan to nan'),
    ],
)
def test_bad_arrays_are_refused_by_name_and_leave_no_trace(prediction, mask, message):
    evaluator = SaliencyEvaluator()
    with pytest.raises(DataError, match=f"Image 'cat': .*{message}"):
        evaluator.step(prediction, mask, 'cat')
    assert evaluator.per_image == []


def test_nothing_to_average_is_an_error():
    with pytest.raises(DataError, match='No image was scored'):
        SaliencyEvaluator().results()
    evaluator = SaliencyEvaluator('survey')
    assert evaluator.step(np.zeros((3, 3), np.uint8), np.zeros((3, 3), bool), 'a') == {}
    with pytest.raises(DataError, match="'survey' scored no image"):
        evaluator.results()
