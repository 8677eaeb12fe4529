from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.visualization.instance_overlays import OPACITY, draw_instances, instance_color

GREY = np.full((12, 20, 3), 100, dtype=np.uint8)


def rectangles(*bounds):
    masks = np.zeros((len(bounds), 12, 20), dtype=bool)
    for mask, (x1, y1, x2, y2) in zip(masks, bounds, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


def test_inside_is_tinted_and_the_outline_full():
    drawn = draw_instances(GREY, rectangles((2, 1, 9, 8)))
    color = np.array(instance_color(0))
    np.testing.assert_allclose(drawn[4, 5], 100 + OPACITY * (color - 100), atol=0.5)
    for row, column in ((1, 2), (1, 8), (7, 2), (4, 2)):
        assert drawn[row, column].tolist() == color.tolist()
    outside = ~rectangles((2, 1, 9, 8))[0]
    assert (drawn[outside] == 100).all()


def test_the_best_is_drawn_over_the_others():
    drawn = draw_instances(GREY, rectangles((2, 2, 10, 10), (2, 2, 10, 10)))
    assert drawn[2, 2].tolist() == list(instance_color(0))


def test_instances_below_the_score_are_left_out():
    image = GREY.repeat(4, 0).repeat(6, 1)  # room for a number
    masks = rectangles((1, 1, 6, 6), (12, 6, 19, 11)).repeat(4, 1).repeat(6, 2)
    boxes = np.array([[6, 4, 36, 24], [72, 24, 114, 44]])
    none = draw_instances(image, masks, np.array([0.3, 0.2]), boxes, min_score=0.4)
    assert np.array_equal(none, image)
    one = draw_instances(image, masks, np.array([0.5, 0.2]), boxes, min_score=0.4)
    assert (one[24:, 72:] == 100).all()
    assert (one[4:24, 6:36] != 100).any(2).all()


def test_boxes_end_inside_and_empty_masks_are_drawn_by_them():
    boxes = np.array([[3.0, 2, 9, 10]])
    drawn = draw_instances(GREY, rectangles((0, 0, 0, 0)), None, boxes)
    assert drawn[9, 8].tolist() == drawn[2, 3].tolist() == list(instance_color(0))
    assert (drawn[10:] == 100).all()
    assert (drawn[:, 9:] == 100).all()


def test_colours_differ():
    colors = {instance_color(k) for k in range(20)}
    assert len(colors) == 20


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(12, 20\) and \(11, 20\)'):
        draw_instances(GREY, np.zeros((0, 11, 20), bool))
