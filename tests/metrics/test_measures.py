"""Closed forms; agreement with the reference library is in test_saliency.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sod_plugins.metrics import measures
from sod_plugins.metrics.levels import count_levels

# Closed forms in double precision; the measures' own guards against 0 / 0 are 2.2e-16.
TOLERANCE = 1e-12


def test_f_is_the_weighted_harmonic_mean():
    f = measures.f_measure(np.array([0.5, 1.0, 0.0]), np.array([0.25, 1.0, 0.0]))
    expected = [1.3 / (0.3 / 0.25 + 1 / 0.5), 1, 0]
    np.testing.assert_allclose(f, expected, atol=TOLERANCE)


def test_thresholds_count_ties_as_told():
    keys = np.array([0.0, 1, 2])
    totals = np.array([[5.0, 3, 1], [0, 2, 4]])
    thresholds = np.array([0.0, 1, 2])
    hits, false_alarms = measures.count_salient(keys, totals, thresholds, strict=False)
    assert (hits.tolist(), false_alarms.tolist()) == ([6, 6, 4], [9, 4, 1])
    hits, false_alarms = measures.count_salient(keys, totals, thresholds, strict=True)
    assert (hits.tolist(), false_alarms.tolist()) == ([6, 4, 0], [4, 1, 0])


def test_adaptive_threshold_is_twice_the_mean_at_most_one():
    assert measures.adaptive_threshold(np.full((2, 2), 0.2)) == 0.4
    assert measures.adaptive_threshold(np.full((2, 2), 0.7)) == 1


def test_mae_of_levels():
    values = np.array([0.0, 0.25, 1])
    totals = np.array([[2.0, 4, 0], [1, 0, 3]])
    expected = (4 * 0.25 + 1 * 1) / 10
    assert measures.mean_absolute_error(values, totals) == pytest.approx(expected, abs=TOLERANCE)


def test_e_measure_is_the_mean_of_the_enhanced_alignment_matrix():
    rng = np.random.default_rng(3)
    mask = rng.random((6, 7)) < 0.4
    binary = rng.random((6, 7)) < 0.5
    total = 0.0
    for predicted, true in zip(binary.ravel(), mask.ravel(), strict=True):
        a, b = predicted - binary.mean(), true - mask.mean()
        total += (2 * a * b / (a * a + b * b) + 1) ** 2 / 4
    found = measures.e_measure(
        np.array([(binary & mask).sum()]), np.array([(binary & ~mask).sum()]), mask.sum(), mask.size
    )
    assert found[0] == pytest.approx(total / (mask.size - 1), abs=TOLERANCE)


@pytest.mark.parametrize(
    ('hits', 'false_alarms', 'foreground', 'expected'),
    [(1, 0, 1, 1), (0, 0, 1, 0), (0, 0, 0, 1), (0, 1, 0, 0)],
)
def test_e_measure_of_one_pixel_is_0_or_1(hits, false_alarms, foreground, expected):
    found = measures.e_measure(np.array([hits]), np.array([false_alarms]), foreground, 1)
    assert found == [expected]


def test_e_measure_of_empty_and_full_masks():
    hits, false_alarms = np.array([0.0]), np.array([3.0])
    assert measures.e_measure(hits, false_alarms, 0, 10)[0] == pytest.approx(7 / 9, abs=TOLERANCE)
    assert measures.e_measure(false_alarms, hits, 10, 10)[0] == pytest.approx(3 / 9, abs=TOLERANCE)


def score_structure(saliency: np.ndarray, mask: np.ndarray) -> float:
    values, index = np.unique(saliency, return_inverse=True)
    counts = count_levels(values, index.reshape(saliency.shape), mask)
    return measures.s_measure(saliency, values, counts)


def test_s_measure_of_a_perfect_map_is_one():
    mask = np.zeros((8, 10), bool)
    mask[2:5, 3:8] = True
    assert score_structure(mask.astype(float), mask) == pytest.approx(1, abs=TOLERANCE)


def test_s_measure_of_empty_and_full_masks_is_the_mean():
    saliency = np.array([[0.0, 0.2], [0.4, 0.6]])
    empty = np.zeros((2, 2), bool)
    assert score_structure(saliency, empty) == pytest.approx(0.7, abs=TOLERANCE)
    assert score_structure(saliency, ~empty) == pytest.approx(0.3, abs=TOLERANCE)


def test_s_measure_where_the_object_is_centred_on_the_last_pixel():
    # Nothing lies below or to the right of the centre, so the image is one region.
    mask = np.zeros((3, 4), bool)
    mask[2, 3] = True
    saliency = np.where(mask, 0.75, 0.25)
    object_score = 1 / 12 * 2 * 0.75 / (0.75**2 + 1) + 11 / 12 * 2 * 0.75 / (0.75**2 + 1)
    x, y = (0.75 + 11 * 0.25) / 12, 1 / 12
    mask_variance = 12 * y * (1 - y) / 11
    # The map is 0.25 + 0.5 * mask.
    covariance, variance = 0.5 * mask_variance, 0.25 * mask_variance
    region_score = 4 * x * y * covariance / ((x * x + y * y) * (variance + mask_variance))
    expected = (object_score + region_score) / 2
    assert score_structure(saliency, mask) == pytest.approx(expected, abs=TOLERANCE)


def naive_weighted_f(saliency: np.ndarray, mask: np.ndarray) -> float:
    """Margolin et al., pixel by pixel; for masks whose nearest object pixels are unique."""
    height, width = mask.shape
    error = np.abs(saliency - mask)
    object_pixels = np.argwhere(mask)
    spread, distance = error.copy(), np.zeros(mask.shape)
    for row in range(height):
        for column in range(width):
            squares = ((object_pixels - (row, column)) ** 2).sum(axis=1)
            nearest = object_pixels[squares.argmin()]
            spread[row, column] = error[tuple(nearest)]
            distance[row, column] = math.sqrt(squares.min())
    weights = {(i, j): math.exp(-(i * i + j * j) / 50) for i in range(-3, 4) for j in range(-3, 4)}
    total = sum(weights.values())
    misses = wrong = 0.0
    for row in range(height):
        for column in range(width):
            if mask[row, column]:
                smooth = sum(
                    weight / total * spread[row + i, column + j]
                    for (i, j), weight in weights.items()
                    if 0 <= row + i < height and 0 <= column + j < width
                )
                misses += min(error[row, column], smooth)
            else:
                wrong += error[row, column] * (2 - 0.5 ** (distance[row, column] / 5))
    hits = mask.sum() - misses
    recall, precision = hits / mask.sum(), hits / (hits + wrong)
    return float(2 * recall * precision / (recall + precision))


@pytest.mark.parametrize('corner', [(0, 0), (4, 6), (9, 11)])
def test_weighted_f_equals_a_loop_over_pixels(corner):
    mask = np.zeros((14, 17), bool)
    mask[corner[0] : corner[0] + 5, corner[1] : corner[1] + 6] = True  # convex: unique nearest
    saliency = np.random.default_rng(corner).random(mask.shape)
    expected = naive_weighted_f(saliency, mask)
    assert measures.weighted_f_measure(saliency, mask) == pytest.approx(expected, abs=TOLERANCE)


def test_weighted_f_forgives_nothing_far_away():
    # 300 pixels away an error weighs 2 to within 1e-12, as it does past the table's end.
    mask = np.zeros((1, 301), bool)
    mask[0, 0] = True
    saliency = np.zeros(mask.shape)
    saliency[0, 300] = 1
    saliency[0, 0] = 1
    expected = 2 * 1 * (1 / 3) / (1 + 1 / 3)
    assert measures.weighted_f_measure(saliency, mask) == pytest.approx(expected, abs=TOLERANCE)


def test_weighted_f_of_an_empty_mask_is_zero():
    assert measures.weighted_f_measure(np.ones((3, 3)), np.zeros((3, 3), bool)) == 0
