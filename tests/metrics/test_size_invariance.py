from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.metrics import Comparison, SaliencyEvaluator, get_protocol
from sod_plugins.metrics.size_invariance import object_boxes, si_mae, si_max_f

TOLERANCE = 1e-12


def draw(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (40, 50)) -> np.ndarray:
    mask = np.zeros(size, bool)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


def corners(mask: np.ndarray) -> list[tuple[int, int]]:
    return [tuple(part.start for part in box) for box in object_boxes(mask)]


def test_objects_have_at_least_50_pixels_or_are_the_largest():
    assert corners(draw((0, 0, 5, 10), (20, 20, 7, 7), (30, 0, 8, 8))) == [(0, 0), (30, 0)]
    assert corners(draw((0, 0, 2, 10), (20, 20, 4, 5), (30, 0, 3, 3))) == [(0, 0), (20, 20)]
    assert corners(draw()) == []


def test_parts_that_touch_at_a_corner_are_two_objects():
    assert corners(draw((0, 0, 8, 8), (8, 8, 8, 8))) == [(0, 0), (8, 8)]


def test_the_mae_of_each_object_weighs_alike():
    mask = draw((0, 0, 10, 10), (20, 10, 20, 40))
    saliency = mask.astype(float)
    saliency[0:5, 0:10] = 0  # half of the small object is missed
    saliency[39, 0] = 0.9  # far from both
    rest = mask.size - 100 - 800
    weight = rest / 900
    expected = (0.5 + 0 + weight * 0.9 / rest) / (2 + weight)
    image = Comparison((saliency * 255).astype(np.uint8), mask, get_protocol('survey'))
    assert si_mae(image) == pytest.approx(expected, abs=1e-5)  # 0.9 in 8 bits
    assert si_mae(image) > 3 * float(np.abs(image.saliency - mask).mean())


def test_the_f_of_an_object_is_that_in_its_box():
    mask = draw((0, 0, 10, 10), (20, 10, 20, 40))
    saliency = mask.astype(float)
    saliency[0:5, 0:10] = 0
    saliency[15:20, :] = 1  # false alarms outside both boxes
    image = Comparison(saliency, mask, get_protocol('pysodmetrics'))
    of_half = 1.3 * 1 * 0.5 / (0.3 * 1 + 0.5)
    assert si_max_f(image) == pytest.approx((of_half + 1) / 2, abs=TOLERANCE)


def test_without_an_object_the_image_is_measured_as_one():
    saliency = np.full((40, 50), 51, np.uint8)
    found = SaliencyEvaluator('survey', ['si_mae', 'mae'])
    kept = SaliencyEvaluator('salmetric', ['si_mae', 'mae', 'si_max_f'])
    assert found.step(saliency, draw()) == {}
    assert kept.step(saliency, draw())['si_mae'] == pytest.approx(0.2, abs=TOLERANCE)
