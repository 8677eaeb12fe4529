from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data import DataError
from sod_plugins.metrics.levels import count_levels, map_levels, mask_levels, resize_nearest


def test_counts_equal_a_loop_over_pixels():
    rng = np.random.default_rng(0)
    index = rng.integers(0, 5, (7, 9))
    foreground = rng.random((7, 9)) < 0.4
    counts = count_levels(np.arange(5) / 4, index, foreground)
    centroid = np.argwhere(foreground).mean(axis=0)
    assert counts.split == tuple(round(mean) + 1 for mean in centroid)
    expected = np.zeros((2, 2, 2, 5))
    for row in range(7):
        for column in range(9):
            below, right = row >= counts.split[0], column >= counts.split[1]
            inside = foreground[row, column]
            expected[int(below), int(right), int(inside), index[row, column]] += 1
    np.testing.assert_array_equal(counts.quadrants, expected)
    np.testing.assert_array_equal(counts.totals, expected.sum(axis=(0, 1)))


def test_floats_are_truncated_to_the_levels_of_a_saved_map():
    prediction = np.array([[0.0, 0.5, 1 - 1e-6, 1.0]], np.float32)
    values, index = map_levels(prediction, keep_floats=False)
    assert index.tolist() == [[0, 127, 254, 255]]  # 0.5 * 255 = 127.5
    assert values[index].max() == 1


def test_kept_floats_are_their_own_levels():
    prediction = np.array([[0.3, 0.1], [0.3, 0.25]])
    values, index = map_levels(prediction, keep_floats=True)
    assert values.tolist() == [0.1, 0.25, 0.3]
    np.testing.assert_array_equal(values[index], prediction)


def test_every_mask_level_survives_the_way_through_floats():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(mask_levels(levels.astype(np.float32) / np.float32(255)), levels)
    np.testing.assert_array_equal(mask_levels(levels), levels)
    assert mask_levels(np.array([[True, False]])).tolist() == [[255, 0]]


@pytest.mark.parametrize(
    ('mask', 'message'),
    [
        (np.eye(3, dtype=np.uint8), 'only 0 and 1'),
        (np.eye(3, dtype=np.int64), 'type int64'),
        (np.eye(3) * 255, 'values from 0 to 255'),
        (np.full((3, 3), np.nan), 'values from nan to nan'),
    ],
)
def test_masks_that_are_none_are_refused(mask, message):
    with pytest.raises(DataError, match=message):
        mask_levels(mask)


def test_nearest_resize_takes_the_pixel_under_the_centre():
    mask = np.array([[0, 10, 20, 30]], np.uint8)
    assert resize_nearest(mask, (1, 2)).tolist() == [[10, 30]]
    assert resize_nearest(mask, (2, 8)).tolist() == [[0, 0, 10, 10, 20, 20, 30, 30]] * 2
