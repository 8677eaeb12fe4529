from __future__ import annotations

import math

import numpy as np
import pytest

from sod_plugins.metrics.exact_sums import ExactSum


def numbers(count: int) -> np.ndarray:
    """Numbers of very different size, of which plain sums depend on the order."""
    rng = np.random.default_rng(0)
    found = rng.random((count, 7)) * 10.0 ** rng.integers(-40, 20, (count, 7))
    found[:, 1] *= -1
    found[:, 2] = 1 / 3
    found[::2, 3], found[1::2, 3] = 1 + 2**-52, -1
    found[:, 4] = 5e-324
    found[:, 5] = 0
    found[:, 6] = rng.integers(1, 100, count) / 99
    return found


@pytest.mark.parametrize('count', [1, 2, 1001])
def test_means_are_those_of_fsum_to_the_last_bit(count):
    rows = numbers(count)
    sums = ExactSum()
    for row in rows:
        sums.add(row)
    expected = [math.fsum(column) / count for column in rows.T.tolist()]
    assert sums.mean().tolist() == expected
    if count > 1000:  # the control: not so by plain sums
        assert rows.mean(0).tolist() != expected


def test_what_has_no_sum_is_refused():
    sums = ExactSum()
    with pytest.raises(ValueError, match='no array'):
        sums.mean()
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match='finite'):
            sums.add(np.array([0.5, value]))
