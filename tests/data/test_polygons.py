from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data import decode_segmentation
from sod_plugins.data.polygons import trace_polygons


def test_a_pixel_and_a_rectangle():
    mask = np.zeros((5, 6), bool)
    mask[1, 2] = mask[3:, 3:5] = True
    assert trace_polygons(mask) == [[2, 1, 3, 1, 3, 2, 2, 2], [3, 3, 5, 3, 5, 5, 3, 5]]
    assert trace_polygons(np.zeros((3, 3), bool)) == []


def test_parts_that_touch_in_a_corner_are_apart_and_holes_are_left_out():
    mask = np.ones((5, 5), bool)
    mask[2, 2] = False
    assert trace_polygons(mask) == [[0, 0, 5, 0, 5, 5, 0, 5]]
    assert len(trace_polygons(np.eye(3, dtype=bool))) == 3


@pytest.mark.parametrize('seed', range(20))
def test_filled_polygons_are_the_mask_without_its_holes(seed):
    from scipy.ndimage import binary_fill_holes, gaussian_filter

    noise = np.random.default_rng(seed).random((40, 50))
    mask = binary_fill_holes(gaussian_filter(noise, 1 + seed % 3) > 0.5)
    polygons = trace_polygons(mask)
    np.testing.assert_array_equal(decode_segmentation(polygons, mask.shape), mask)
