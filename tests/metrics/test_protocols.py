"""Each protocol against loops over pixels, with integers where ties decide."""

from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.metrics import PROTOCOLS, SaliencyEvaluator, get_protocol, measures
from sod_plugins.metrics.protocols import normalise

# Sums of some hundred doubles below 1.
TOLERANCE = 1e-12


def make_images() -> list[tuple[np.ndarray, np.ndarray]]:
    """Make maps and masks full of ties: thresholds of 49 steps, 128 and 129, 254 and 255."""
    rng = np.random.default_rng(7)
    images = []
    for size in ((5, 7), (6, 4), (8, 8), (3, 9)):
        prediction = rng.choice([0, 10, 51, 102, 127, 128, 153, 200, 204], size)
        mask = rng.choice([0, 0, 40, 128, 129, 254, 255, 255], size)
        images.append((prediction.astype(np.uint8), mask.astype(np.uint8)))
    return images


def evaluate(protocol: str, images):
    evaluator = SaliencyEvaluator(protocol)
    for index, (prediction, mask) in enumerate(images):
        evaluator.step(prediction, mask, str(index))
    return evaluator.evaluation()


def count(salient, foreground) -> tuple[int, int, int]:
    """Return hits, salient pixels and object pixels, one pixel at a time."""
    hits = found = present = 0
    for is_salient, is_object in zip(np.ravel(salient), np.ravel(foreground), strict=True):
        hits += bool(is_salient and is_object)
        found += bool(is_salient)
        present += bool(is_object)
    return hits, found, present


def f_of(precision, recall, epsilon=0.0):
    return 1.3 * precision * recall / (0.3 * precision + recall + epsilon)


def assert_f_curve(evaluation, curve):
    np.testing.assert_allclose(evaluation.curves['f'], curve, atol=TOLERANCE)
    assert evaluation.measures['max_f'] == pytest.approx(max(curve), abs=TOLERANCE)
    assert evaluation.measures['mean_f'] == pytest.approx(np.mean(curve), abs=TOLERANCE)


def test_salmetric():
    images = make_images()
    evaluation = evaluate('salmetric', images)
    curve = []
    for threshold in range(256):
        precision = recall = 0.0
        for prediction, mask in images:
            hits, found, present = count(prediction > threshold, mask > 128)
            precision += (hits + 1e-4) / (found + 1e-4) / len(images)
            recall += (hits + 1e-4) / (present + 1e-4) / len(images)
        curve.append(f_of(precision, recall))
        assert evaluation.curves['precision'][threshold] == pytest.approx(precision, abs=TOLERANCE)
        assert evaluation.curves['recall'][threshold] == pytest.approx(recall, abs=TOLERANCE)
    assert_f_curve(evaluation, curve)
    errors = [np.mean(np.abs(p.astype(int) - m.astype(int))) / 255 for p, m in images]
    assert evaluation.measures['mae'] == pytest.approx(np.mean(errors), abs=TOLERANCE)


def test_fastsaliency():
    images = make_images()
    evaluation = evaluate('fastsaliency', images)
    curve = []
    for step in range(1, 50):
        precision = recall = 0.0
        for prediction, mask in images:
            salient = 50 * prediction.astype(int) > 255 * step
            hits, found, present = count(salient, mask == 255)
            precision += hits / (found + 1e-8) / len(images)
            recall += hits / (present + 1e-8) / len(images)
        curve.append(f_of(precision, recall, 1e-8))
    assert_f_curve(evaluation, curve)
    np.testing.assert_allclose(evaluation.curves['thresholds'], np.arange(1, 50) / 50)
    errors = [np.mean(np.abs(p / 255 - (m == 255))) for p, m in images]
    assert evaluation.measures['mae'] == pytest.approx(np.mean(errors), abs=TOLERANCE)


def test_survey():
    images = make_images()
    evaluation = evaluate('survey', [*images, (images[0][0], np.zeros((5, 7), np.uint8))])
    assert (evaluation.count, evaluation.skipped) == (4, ('4',))
    curve = np.zeros(256)
    for prediction, mask in images:
        highest = int(prediction.max())
        levels = (2 * 255 * prediction.astype(int) + highest) // (2 * highest)  # half goes up
        for threshold in range(256):
            hits, found, present = count(levels >= threshold, mask > 128)
            if hits:
                precision, recall = hits / (found + 1e-5), hits / present
                curve[threshold] += f_of(precision, recall) / len(images)
    assert_f_curve(evaluation, curve)
    errors = [np.mean(np.abs(p / 255 - (m > 128))) for p, m in images]
    assert evaluation.measures['mae'] == pytest.approx(np.mean(errors), abs=TOLERANCE)


@pytest.mark.parametrize(
    ('protocol', 'object_from', 'is_salient'),
    [
        ('salmetric', 129, lambda levels, threshold: levels > threshold * 255),
        ('fastsaliency', 255, lambda levels, threshold: levels / 255 > threshold),
        ('survey', 129, lambda levels, threshold: np.rint(levels / 200 * 255) >= threshold * 255),
    ],
)
def test_e_measure_uses_the_protocols_own_binary_maps(protocol, object_from, is_salient):
    rng = np.random.default_rng(1)
    prediction = rng.choice([0, 50, 100, 150, 200], (6, 5)).astype(np.uint8)
    prediction[0, 0] = 200
    mask = rng.choice([0, 254, 255], (6, 5)).astype(np.uint8)
    foreground = mask >= object_from
    evaluation = evaluate(protocol, [(prediction, mask)])
    for index in (0, 3, 10, 24, 40, -1):
        threshold = PROTOCOLS[protocol].thresholds[index]
        salient = is_salient(prediction.astype(float), threshold)
        total = 0.0
        for predicted, true in zip(salient.ravel(), foreground.ravel(), strict=True):
            a, b = predicted - salient.mean(), true - foreground.mean()
            total += (2 * a * b / (a * a + b * b) + 1) ** 2 / 4
        assert evaluation.curves['e'][index] == pytest.approx(total / 29, abs=TOLERANCE)
    assert evaluation.measures['max_e'] == evaluation.curves['e'].max()


@pytest.mark.parametrize(
    ('protocol', 'divisor', 'object_from'),
    [('salmetric', 255, 129), ('fastsaliency', 255, 255), ('survey', 204, 129)],
)
def test_the_other_measures_take_the_protocols_normalisation(protocol, divisor, object_from):
    prediction, mask = make_images()[2]
    prediction[:, :4] = 0  # a mean low enough for the adaptive threshold to be below 1
    prediction[0, 0] = 204
    saliency, foreground = prediction / divisor, mask >= object_from
    found = evaluate(protocol, [(prediction, mask)]).measures
    hits, salient, present = count(saliency >= min(2 * saliency.mean(), 1), foreground)
    assert found['adp_f'] == pytest.approx(f_of(hits / salient, hits / present), abs=TOLERANCE)
    hits, salient, present = count(saliency > 0.5, foreground)
    assert found['iou'] == pytest.approx(hits / (salient + present - hits), abs=TOLERANCE)
    absent = mask.size - present
    rates = hits / present, (absent - salient + hits) / absent
    assert found['ber'] == pytest.approx(1 - sum(rates) / 2, abs=TOLERANCE)
    expected = measures.weighted_f_measure(saliency, foreground)
    assert found['weighted_f'] == pytest.approx(expected, abs=TOLERANCE)


def test_structure_of_the_survey_is_that_of_the_stretched_map():
    prediction, mask = make_images()[0]
    prediction = np.maximum(prediction, 30)  # so that stretching and dividing differ
    survey, stretched, raw = (
        evaluate(protocol, [(prediction, mask)]).measures['s_measure']
        for protocol in ('survey', 'pysodmetrics', 'salmetric')
    )
    assert survey == stretched
    assert abs(survey - raw) > 0.01


def test_only_the_survey_resizes_the_mask():
    prediction = np.array([[0, 0, 255, 255]] * 2, np.uint8)
    mask = np.repeat(prediction, 2, axis=1)
    assert evaluate('survey', [(prediction, mask)]).measures['mae'] == 0
    for protocol in ('pysodmetrics', 'salmetric', 'fastsaliency'):
        with pytest.raises(ValueError, match='4x2 but the mask is 8x2'):
            evaluate(protocol, [(prediction, mask)])


def test_only_fastsaliency_scores_floats_as_they_are():
    prediction = np.full((3, 3), 0.6199)
    mask = np.ones((3, 3), bool)
    level = int(0.6199 * 255) / 255
    for protocol in PROTOCOLS:
        kept = 0.6199 if protocol == 'fastsaliency' else level
        found = evaluate(protocol, [(prediction, mask)]).measures['mae']
        assert found == pytest.approx(1 - kept, abs=TOLERANCE)


def test_protocols_disagree_on_one_image():
    images = make_images()
    numbers = {evaluate(protocol, images).measures['max_f'] for protocol in PROTOCOLS}
    assert len(numbers) == len(PROTOCOLS) == 4


def test_normalisation():
    values = np.array([0.2, 0.4])
    np.testing.assert_allclose(normalise(values, 0.2, 0.4, 'minmax'), [0, 1])
    np.testing.assert_allclose(normalise(values, 0.2, 0.4, 'max'), [0.5, 1])
    for rule, level in (('minmax', 0.2), ('max', 0.0), ('none', 0.4)):
        assert normalise(np.array([level]), level, level, rule) == level


def test_unknown_protocols_are_refused_with_the_known_ones():
    with pytest.raises(
        ValueError, match=r"protocol must be one of 'pysodmetrics', 'salmetric', .*got 'sal'"
    ):
        get_protocol('sal')
