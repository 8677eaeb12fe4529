from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.visualization.overlays import error_map, tint_saliency


def test_tint_blends_in_proportion_to_the_saliency():
    image = np.full((1, 3, 3), 100, dtype=np.uint8)
    saliency = np.array([[0.0, 0.5, 1.0]], dtype=np.float32)
    tinted = tint_saliency(image, saliency, color=(200, 0, 100), opacity=0.5)
    assert tinted.tolist() == [[[100, 100, 100], [125, 75, 100], [150, 50, 100]]]
    assert tinted.dtype == np.uint8


def test_error_is_white_red_or_blue():
    prediction = np.array([[0.4, 1.0, 0.0, 0.5]], dtype=np.float32)
    mask = np.array([[0.4, 0.0, 1.0, 0.0]], dtype=np.float32)
    agree, excess, missing, half = error_map(prediction, mask)[0].tolist()
    assert agree == [255, 255, 255]
    assert excess == [214, 39, 40]
    assert missing == [31, 119, 180]
    # Halfway between white and red: 234.5, 147 and 147.5, rounded to even.
    assert half == [234, 147, 148]


def test_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\)'):
        error_map(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32))
    with pytest.raises(ValueError, match=r'\(2, 3\) and \(3, 2\)'):
        tint_saliency(np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2), np.float32))
