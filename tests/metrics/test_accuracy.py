from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.metrics.accuracy import NOWHERE, class_place, topk_accuracy


def test_places_are_those_of_a_stable_sort():
    rng = np.random.default_rng(0)
    for scores in rng.integers(0, 6, (200, 10)) / 10:  # many are equal
        ranking = np.argsort(-scores, kind='stable')
        assert [class_place(scores, label) for label in ranking] == list(range(10))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_place_no_class(value):
    assert class_place(np.array([0.5, value, 0.1]), 0) == NOWHERE
    assert topk_accuracy([0, NOWHERE], 10) == 0.5


def test_the_share_of_the_first_places():
    assert [topk_accuracy([0, 1, 4, 0], k) for k in (1, 2, 5)] == [0.5, 0.75, 1.0]
