from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.transforms import RandomZoom


def coordinates(height, width):
    """An image whose pixels are their own row and column."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows], axis=2).astype(np.uint8)


def zooms(mask, count=300, **limits):
    """Rows and columns, from the first to the last, that zooms leave of an image."""
    image, zoom = coordinates(*mask.shape), RandomZoom(**{'prob': 1, **limits})
    found = []
    for seed in range(count):
        part, part_mask = zoom.apply(image, mask, np.random.default_rng(seed))
        (top, left), (bottom, right) = part[0, 0, :2].tolist(), part[-1, -1, :2].tolist()
        rows, columns = slice(top, bottom + 1), slice(left, right + 1)
        np.testing.assert_array_equal(part, image[rows, columns])
        np.testing.assert_array_equal(part_mask, mask[rows, columns])
        found.append((rows, columns))
    return found


def test_sides_shape_and_share_of_the_object_keep_their_limits():
    mask = np.zeros((80, 120), np.float32)
    mask[20:50, 30:90] = 1
    found = zooms(mask, smallest=0.5, stretch=1.5, kept=0.4)
    heights = np.array([rows.stop - rows.start for rows, _ in found]) / 80
    widths = np.array([columns.stop - columns.start for _, columns in found]) / 120
    assert 0.49 <= min(heights.min(), widths.min()) < 0.55
    assert max(heights.max(), widths.max()) > 0.95
    stretches = widths / heights
    assert 0.95 / 1.5 < stretches.min() < 0.75 and 1.3 < stretches.max() < 1.5 * 1.05
    assert min(mask[part].sum() for part in found) >= 0.4 * mask.sum()


def test_an_object_that_no_part_can_hold_leaves_the_image_whole():
    mask = np.zeros((40, 40), np.float32)
    mask[0, 0] = mask[-1, -1] = 1
    assert zooms(mask, 5, stretch=1, kept=1) == [(slice(0, 40), slice(0, 40))] * 5


def test_any_part_of_an_empty_mask_or_of_none_will_do():
    rows, columns = zooms(np.zeros((40, 60)), 1)[0]
    image, mask = RandomZoom(prob=1).apply(coordinates(40, 60), None, np.random.default_rng(0))
    assert mask is None
    assert image.shape[:2] == (rows.stop - rows.start, columns.stop - columns.start) != (40, 60)


def test_zooms_have_their_probability():
    whole = sum(
        part == (slice(0, 40), slice(0, 50)) for part in zooms(np.ones((40, 50)), prob=0.75)
    )
    assert 50 < whole < 110  # of 300; 75 expected, and a few that the zoom leaves whole


@pytest.mark.parametrize(
    ('name', 'value'),
    [('prob', 1.5), ('smallest', 0.0), ('smallest', 2.0), ('stretch', 0.5), ('kept', -1.0)],
)
def test_refuses_limits_out_of_range(name, value):
    with pytest.raises(ValueError, match=f'{name} must lie'):
        RandomZoom(**{name: value})
