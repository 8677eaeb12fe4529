from __future__ import annotations

import colorsys
from itertools import permutations

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from sod_plugins.transforms import ColorJitter, color
from sod_plugins.transforms.color import (
    change_brightness,
    change_contrast,
    change_saturation,
    turn_hue,
)


@pytest.fixture
def image():
    """Noise, one grey pixel, and the corners of the colour cube."""
    pixels = np.random.default_rng(0).integers(0, 256, (13, 11, 3), dtype=np.uint8)
    pixels[0, 0] = 77
    pixels[0, 1:9] = np.array(np.meshgrid([0, 255], [0, 255], [0, 255])).reshape(3, 8).T
    return pixels


@pytest.mark.parametrize('amount', [-1.0, -0.2, 0.0, 0.35, 1.0])
@pytest.mark.parametrize(
    ('change', 'enhance'),
    [
        (change_brightness, ImageEnhance.Brightness),
        (change_contrast, ImageEnhance.Contrast),
        (change_saturation, ImageEnhance.Color),
    ],
)
def test_equals_pillow(change, enhance, amount, image):
    changed = change(image.astype(np.float32), amount)
    expected = np.asarray(enhance(Image.fromarray(image)).enhance(1 + amount), dtype=np.float32)
    assert changed.dtype == np.float32
    # Pillow rounds each grey and their mean by up to half a level, and cuts the result to a level.
    np.testing.assert_allclose(changed, expected, rtol=0, atol=1.6)


@pytest.mark.parametrize(
    ('change', 'expected'),
    [
        (change_brightness, [120, 12, 240]),
        # Grey 0.299 * 100 + 0.587 * 10 + 0.114 * 200 = 58.57; the same is the mean of one pixel.
        (change_contrast, [108.286, 0.286, 228.286]),
        (change_saturation, [108.286, 0.286, 228.286]),
    ],
)
def test_values(change, expected):
    pixel = np.array([[[100, 10, 200]]], dtype=np.float32)
    np.testing.assert_allclose(change(pixel, 0.2)[0, 0], expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize('turn', [-0.5, -0.1, 0.0, 0.07, 0.5])
def test_hue_turns_as_in_colorsys(turn, image):
    def turned(pixel):
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        return colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)

    expected = np.array([[turned(pixel) for pixel in row] for row in image / 255]) * 255
    changed = turn_hue(image.astype(np.float32), turn)
    assert changed.dtype == np.float32
    # float32 hues in degrees: an error of 1e-7 * 360 / 60 of up to 255 levels.
    np.testing.assert_allclose(changed, expected, rtol=0, atol=2e-3)


def test_hue_turns_as_in_opencv(image):
    """What the hosts' colour jitter computes, to a thousandth of a grey level."""
    cv2 = pytest.importorskip('cv2')
    hsv = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0] + np.float32(360 * 0.07)) % 360
    expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    np.testing.assert_allclose(
        turn_hue(image.astype(np.float32), 0.07), expected, rtol=0, atol=1e-3
    )


def test_factors_fill_their_range():
    """A grey pixel shows brightness alone: its factors are uniform."""
    jitter = ColorJitter(brightness=0.2, saturation=0.5, hue=0.3)
    grey = np.full((1, 1, 3), 100, np.uint8)
    factors = np.array(
        [
            jitter.apply(grey, None, np.random.default_rng(seed))[0][0, 0, 0] / 100
            for seed in range(1000)
        ]
    )
    assert 0.8 <= factors.min() < 0.81 and 1.19 < factors.max() <= 1.2
    # A uniform variable of width 0.4 has a standard deviation of 0.1155; 5 errors of the mean.
    assert abs(factors.mean() - 1) < 5 * 0.1155 / np.sqrt(1000)
    assert abs(factors.std() - 0.1155) < 0.01


def test_every_order_occurs(monkeypatch):
    names = ('brightness', 'contrast', 'saturation', 'hue')
    orders = []
    for name in names:
        change = lambda image, amount, name=name: (orders[-1].append(name), image)[1]  # noqa: E731
        monkeypatch.setitem(color._CHANGES, name, change)
    jitter = ColorJitter(0.2, 0.2, 0.2, 0.1)
    for seed in range(400):
        orders.append([])
        jitter.apply(np.zeros((1, 1, 3), np.uint8), None, np.random.default_rng(seed))
    # One of the 24 is missed with a probability of 24 * (23/24)^400 = 1e-6.
    assert set(map(tuple, orders)) == set(permutations(names))


def test_choices_depend_on_the_given_generator_alone(image):
    def jittered(seed):
        return ColorJitter(0.2, 0.2, 0.2, 0.1).apply(image, None, np.random.default_rng(seed))[0]

    np.random.seed(1)
    first = jittered(8)
    np.random.seed(2)
    np.testing.assert_array_equal(jittered(8), first)
    assert np.abs(jittered(9) - first).mean() > 1


def test_masks_and_whole_numbers_of_the_source_stay(image):
    original = image.copy()
    mask = np.ones((13, 11), np.float32)
    changed, kept = ColorJitter().apply(image, mask, np.random.default_rng(0))
    np.testing.assert_array_equal(changed, original)
    assert kept is mask
    ColorJitter(1, 1, 1, 0.5).apply(image, None, np.random.default_rng(0))
    np.testing.assert_array_equal(image, original)


@pytest.mark.parametrize(
    ('strengths', 'message'),
    [
        ({'contrast': -0.1}, 'contrast must lie between 0 and 1, but is -0.1'),
        ({'brightness': 1.5}, 'brightness must lie between 0 and 1, but is 1.5'),
        ({'hue': 0.6}, r'hue must lie between 0 and 0\.5, but is 0\.6'),
    ],
)
def test_refuses_nonsense(strengths, message):
    with pytest.raises(ValueError, match=message):
        ColorJitter(**strengths)
