from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.inference.edges import enlarge_along_edges
from sod_plugins.inference.enlarging import enlarge


@pytest.fixture
def scene():
    """A photo with a disc, and a map of 20x20 pixels that is right but coarse."""
    rows, columns = np.mgrid[:400, :400]
    disc = np.hypot(rows - 190, columns - 210) < 110.5
    noise = np.random.default_rng(0).normal(0, 6, (400, 400, 3))
    photo = np.where(disc[..., None], (210, 120, 40), (60, 90, 160)) + noise
    small = disc.reshape(20, 20, 20, 20).mean((1, 3)).astype(np.float32)
    return photo.clip(0, 255).astype(np.uint8), disc, small


def test_maps_follow_the_edges_of_the_photo(scene):
    photo, disc, small = scene
    plain, guided = enlarge(small, disc.shape), enlarge_along_edges(small, photo)
    assert guided.dtype == np.float32 and guided.min() >= 0 and guided.max() <= 1
    assert np.abs(guided - disc).mean() < 0.5 * np.abs(plain - disc).mean()
    wrong = ((guided > 0.5) != disc).sum(), ((plain > 0.5) != disc).sum()
    assert wrong[0] < 0.3 * wrong[1]


def test_a_photo_without_edges_leaves_the_map_but_for_its_contrast(scene):
    _, disc, small = scene
    flat = np.full((400, 400, 3), 128, np.uint8)
    guided, plain = enlarge_along_edges(small, flat), enlarge(small, disc.shape)
    far = np.abs(plain - 0.5) > 0.49
    np.testing.assert_allclose(guided[far], plain[far], atol=0.02)
    for size in ((1, 1), (3, 900), (900, 2)):
        assert enlarge_along_edges(small, np.zeros((*size, 3), np.uint8)).shape == size
