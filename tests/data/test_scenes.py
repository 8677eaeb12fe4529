from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data import draw_scene, sample_rng

SIZE = (120, 160)
COUNT = 200


@pytest.fixture(scope='module')
def scenes():
    return [draw_scene(sample_rng(0, 0, index), SIZE) for index in range(COUNT)]


def threshold_max_f(maps: list[np.ndarray], masks: list[np.ndarray]) -> float:
    """Largest F (beta^2 = 0.3) of the mean precision and recall over all 8-bit thresholds."""
    precision, recall = np.zeros(256), np.zeros(256)
    for values, mask in zip(maps, masks, strict=True):
        hits, all_above = (
            np.cumsum(np.bincount(chosen.ravel(), minlength=256)[::-1])
            for chosen in (values[mask], values)
        )
        precision += hits / np.maximum(all_above, 1) / len(maps)
        recall += hits / mask.sum() / len(maps)
    return float((1.3 * precision * recall / (0.3 * precision + recall + 1e-12)).max())


def test_oracle_scores_one(scenes):
    masks = [scene.mask > 127 for scene in scenes[:5]]
    assert threshold_max_f([scene.mask for scene in scenes[:5]], masks) == pytest.approx(1)


def test_no_simple_cue_solves_the_scenes(scenes):
    masks = [scene.mask > 127 for scene in scenes]
    cues = {name: [] for name in ('luminance', 'red', 'green', 'blue', 'saturation')}
    for scene in scenes:
        image = scene.image
        cues['luminance'].append(np.rint(image @ (0.299, 0.587, 0.114)).astype(np.uint8))
        for channel, name in enumerate(('red', 'green', 'blue')):
            cues[name].append(image[..., channel])
        cues['saturation'].append(image.max(axis=2) - image.min(axis=2))
    for name, maps in cues.items():
        # Measured: 0.32 to 0.35, where calling every pixel salient gives 0.22.
        assert threshold_max_f(maps, masks) < 0.42, name
        assert threshold_max_f([255 - values for values in maps], masks) < 0.42, name


def test_centre_prior_is_weak(scenes):
    y, x = (np.linspace(-1, 1, length) for length in SIZE)
    prior = np.rint(255 * np.exp(-(y[:, None] ** 2 + x**2) / 0.32)).astype(np.uint8)
    masks = [scene.mask > 127 for scene in scenes]
    assert threshold_max_f([prior] * COUNT, masks) < 0.42  # measured: 0.32


def test_scenes_are_varied(scenes):
    counts = np.bincount([scene.instances.max() for scene in scenes], minlength=5)
    assert counts[0] == 0
    assert len(counts) == 5
    assert counts[1:].min() >= 0.04 * COUNT
    areas = [(scene.mask > 127).mean() for scene in scenes]
    assert min(areas) < 0.06
    assert max(areas) > 0.3


def test_instances_partition_the_mask_and_stay_visible(scenes):
    for scene in scenes:
        np.testing.assert_array_equal(scene.instances > 0, scene.mask > 127)
        visible = np.bincount(scene.instances.ravel())[1:]
        assert visible.min() >= 0.02 * 120**2


def test_edges_are_antialiased(scenes):
    assert all(((scene.mask > 0) & (scene.mask < 255)).any() for scene in scenes)


def test_objects_touch_and_occlude(scenes):
    def touching(instances: np.ndarray) -> bool:
        left, right = instances[:, :-1], instances[:, 1:]
        return bool(((left > 0) & (right > 0) & (left != right)).any())

    several = [scene.instances for scene in scenes if scene.instances.max() > 1]
    assert np.mean([touching(instances) for instances in several]) > 0.25


def test_other_sizes():
    for size in ((32, 32), (50, 201), (640, 32)):
        scene = draw_scene(np.random.default_rng(0), size)
        assert scene.image.shape == (*size, 3)
        assert scene.mask.shape == scene.instances.shape == size
