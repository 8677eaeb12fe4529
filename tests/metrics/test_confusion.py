from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.metrics import confusion
from sod_plugins.metrics.confusion import Confusion, area_under_curve

TOLERANCE = 1e-12


def one(hits: float, false_alarms: float, foreground: float, background: float = 0.0) -> Confusion:
    return Confusion(np.array(hits), np.array(false_alarms), foreground, background)


@pytest.mark.parametrize(
    ('name', 'value', 'empty'),
    [
        ('precision', 3 / 5, 0),
        ('recall', 3 / 5, 0),
        ('specificity', 8 / 10, 1),
        ('false_positive_rate', 2 / 10, 0),
        ('dice', 6 / 10, 0),
        ('iou', 3 / 7, 0),
        ('accuracy', 11 / 15, 1),
        # By chance 5/15 * 5/15 + 10/15 * 10/15 = 5/9 are right.
        ('cohen_kappa', (11 / 15 - 5 / 9) / (1 - 5 / 9), 0),
        # PySODMetrics 1.6.2: 5/15 * 5/15 + 10/15 * 11/15.
        ('kappa', (11 / 15 - 27 / 45) / (1 - 27 / 45), 0),
        ('ber', 1 - (0.6 + 0.8) / 2, 0.5),  # no object: only the background's half can fail
        ('f_measure', 1.3 * 0.36 / (1.3 * 0.6), 0),
    ],
)
def test_binary_measures_and_their_empty_classes(name, value, empty):
    measure = getattr(confusion, name)
    assert measure(one(3, 2, 5, 10)) == pytest.approx(value, abs=TOLERANCE)
    assert measure(one(0, 0, 0, 10)) == empty


def test_many_maps_are_measured_at_once():
    found = confusion.iou(Confusion(np.array([3.0, 0.0]), np.array([2.0, 5.0]), 5, 10))
    np.testing.assert_allclose(found, [3 / 7, 0])


def test_kappa_is_negative_where_map_and_mask_agree_less_than_by_chance():
    assert confusion.cohen_kappa(one(0, 5, 5, 5)) == pytest.approx(-1, abs=TOLERANCE)


def test_the_area_under_a_curve_is_that_of_its_trapezoids():
    # Recall falls as thresholds rise.
    assert area_under_curve(np.array([0.0, 1.0, 1.0]), np.array([1.0, 0.5, 0.0])) == 0.75
    # Where it stays, the curve rises straight up.
    assert area_under_curve(np.array([1.0, 0.8, 0.4]), np.array([1.0, 0.5, 0.5])) == 0.45
