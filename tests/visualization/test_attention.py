from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('matplotlib')

from sod_plugins.visualization.attention import DecoderAttention, draw_attention


def test_cells_lie_around_their_samples_and_the_frame_ends_with_the_photo():
    weights = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    rows, columns = np.array([[-8.0, 2.0, 12.0]]), np.array([[20.0, 26.0, 32.0]])
    features = np.zeros((3, 4), dtype=np.float32)
    decoder = DecoderAttention(5, 'LAP', weights, rows, columns, features, features + 1)
    photo, saliency = np.zeros((30, 40, 3), np.uint8), np.zeros((30, 40), np.float32)
    figure = draw_attention(photo, saliency, [(26, 2)], [decoder])
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ['photo', 'D5: LAP', 'saliency', 'F5', '', 'F5 att']
    field = figure.axes[1]
    _, cells = field.get_images()
    np.testing.assert_array_equal(cells.get_array(), weights[0])
    # Samples are 10 rows and 6 columns apart, so cells reach 5 and 3 pixels beyond.
    assert cells.get_extent() == [17, 35, 17, -13]
    (frame,) = field.patches
    assert frame.get_bbox().bounds == (17, -0.5, 18, 17.5)
    assert (field.get_xlim(), field.get_ylim()) == ((-0.5, 39.5), (29.5, -0.5))
    (dot,) = field.lines
    assert (dot.get_xdata(), dot.get_ydata()) == ([26], [2])
