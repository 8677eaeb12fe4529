from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data.textures import BRIGHTNESS, KINDS, colour, paint, smooth_noise

SIZE = (40, 56)


@pytest.mark.parametrize('hue', [0.0, 1.3, 2.9, 5.1])
def test_hue_and_saturation_leave_brightness(hue):
    # 0.2 clips no channel at this brightness; 2e-3 is the rounding of the YUV coefficients.
    assert colour(0.5, hue, 0.2) @ BRIGHTNESS == pytest.approx(0.5, abs=2e-3)


def test_noise_varies_over_its_cell():
    # A step of one pixel changes noise of 20-pixel cells far less than noise of 1-pixel cells.
    def step(cell: float) -> float:
        noise = smooth_noise(np.random.default_rng(0), SIZE, cell)
        return float(np.abs(np.diff(noise, axis=1)).mean())

    assert step(20) < step(1) / 5


@pytest.mark.parametrize('kind', KINDS)
def test_each_field_is_a_varied_float32_array(kind):
    fields = [kind(np.random.default_rng(seed), SIZE, 9.0) for seed in (0, 0, 1)]
    assert fields[0].shape == SIZE
    assert fields[0].dtype == np.float32
    assert np.ptp(fields[0]) > 0.3
    np.testing.assert_array_equal(fields[0], fields[1])
    assert np.abs(fields[0] - fields[2]).max() > 0.1


def test_paint_stays_between_its_colours_but_for_grain():
    low, high = colour(0.3, 0, 0.1), colour(0.6, 2, 0.2)
    for seed in range(12):
        texture = paint(np.random.default_rng(seed), SIZE, low, high, 9.0)
        assert texture.shape == (*SIZE, 3)
        # Grain is at most 0.05 strong; bicubic interpolation overshoots [-1, 1] by under 40%.
        assert (texture > np.minimum(low, high) - 0.07).all()
        assert (texture < np.maximum(low, high) + 0.07).all()
