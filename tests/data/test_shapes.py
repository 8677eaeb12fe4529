from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data.shapes import KINDS, Shape, rasterize

SQUARE = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], dtype=float)


def test_square_covers_its_pixels():
    coverage = rasterize(Shape((SQUARE,)), (20, 12), 8, 0, (24, 40))
    # The polygon's outline adds up to a third of a pixel on each side.
    assert coverage[5:19, 13:27].min() == 1
    inside = np.zeros((24, 40), bool)
    inside[3:22, 11:30] = True
    assert coverage[~inside].max() == 0
    assert coverage.sum() == pytest.approx(16 * 16, rel=0.05)


def test_rotation_is_clockwise_in_pixels_and_radius_scales():
    bar = Shape((SQUARE * (1, 0.2),))
    flat, upright = (rasterize(bar, (20, 20), 10, angle, (40, 40)) for angle in (0, np.pi / 2))
    assert flat[20, 12] == 1
    assert flat[12, 20] == 0
    assert upright[12, 20] == 1
    assert upright[20, 12] == 0


def test_hole_is_empty():
    ring = Shape((SQUARE,), (SQUARE * 0.5,))
    coverage = rasterize(ring, (20, 20), 16, 0, (40, 40))
    assert coverage[20, 20] == 0
    assert coverage[20, 8] == 1
    assert ring.area() == pytest.approx(3, rel=0.03)


def test_outside_is_cut_off():
    coverage = rasterize(Shape((SQUARE,)), (0, 0), 8, 0, (24, 40))
    assert coverage[:7, :7].min() == 1
    assert coverage[10:].max() == 0


@pytest.mark.parametrize('kind', KINDS)
def test_each_kind_has_about_unit_radius(kind):
    for seed in range(20):
        shape = kind(np.random.default_rng(seed))
        assert max(np.linalg.norm(part, axis=1).max() for part in shape.parts) < 1.6
        assert shape.area() > 0.25
