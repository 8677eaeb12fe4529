from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('mmcv')

from sod_plugins.openmmlab.datasets.transforms import RandomMarginCrop, RandomSaliencyFlip


def coordinates(height, width):
    """Make an image whose pixels are their own row and column, and a mask that tells both."""
    rows, columns = np.mgrid[:height, :width]
    return {
        'img': np.stack([rows, columns, rows], axis=2).astype(np.uint8),
        'gt_seg_map': (rows * 256 + columns).astype(np.float32),
    }


def matches(results):
    image, mask = results['img'].astype(np.float32), results['gt_seg_map']
    return np.array_equal(image[..., 0] * 256 + image[..., 1], mask)


def test_margins_cover_their_ranges_independently():
    margins = []
    for seed in range(600):
        results = {**coordinates(40, 50), 'rng': np.random.default_rng(seed)}
        results = RandomMarginCrop(max_margin=3)(results)
        assert matches(results)
        assert results['img_shape'] == results['img'].shape[:2]
        top, left = results['img'][0, 0, :2]
        bottom, right = results['img'][-1, -1, :2]
        margins.append((top, left, 39 - bottom, 49 - right))
    # 600 draws miss one of 4 margins of a side with a probability of 0.75^600.
    assert [sorted(set(side)) for side in zip(*margins, strict=True)] == [
        [0, 1, 2, 3],
        [0, 1, 2, 3],
        [1, 2, 3, 4],
        [1, 2, 3, 4],
    ]
    # 256 combinations, each missed with a probability of (255/256)^600: some 230 are expected.
    assert len(set(margins)) > 200


@pytest.mark.parametrize('side', [1, 2, 5])
def test_tiny_images_keep_a_pixel(side):
    for seed in range(50):
        results = {**coordinates(side, side), 'rng': np.random.default_rng(seed)}
        results = RandomMarginCrop(max_margin=14)(results)
        assert min(results['img'].shape[:2]) >= 1
        assert matches(results)


def test_flips_are_as_frequent_as_asked():
    flip = RandomSaliencyFlip(prob=0.5, directions=('horizontal', 'vertical'))
    counts = {None: 0, 'horizontal': 0, 'vertical': 0}
    original = coordinates(4, 6)
    flipped = {
        None: original['img'],
        'horizontal': original['img'][:, ::-1],
        'vertical': original['img'][::-1],
    }
    for seed in range(1000):
        results = flip({**coordinates(4, 6), 'rng': np.random.default_rng(seed)})
        direction = results['flip_direction']
        np.testing.assert_array_equal(results['img'], flipped[direction])
        assert matches(results)
        assert results['flip'] == (direction is not None)
        counts[direction] += 1
    # Expected 500, 250, 250 with standard deviations of 16 and 14; five of them are allowed.
    assert abs(counts[None] - 500) < 80
    assert abs(counts['horizontal'] - 250) < 70


def test_choices_depend_on_the_given_generator_alone():
    def crop():
        results = {**coordinates(40, 40), 'rng': np.random.default_rng(8)}
        return RandomSaliencyFlip()(RandomMarginCrop()(results))['img']

    np.random.seed(1)
    first = crop()
    np.random.seed(2)
    np.testing.assert_array_equal(crop(), first)


def test_works_without_a_mask():
    results = {'img': coordinates(40, 40)['img'], 'rng': np.random.default_rng(0)}
    results = RandomSaliencyFlip(prob=1)(RandomMarginCrop()(results))
    assert 'gt_seg_map' not in results


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: RandomMarginCrop(max_margin=-1), 'max_margin must be 0 or larger, but is -1'),
        (lambda: RandomSaliencyFlip(prob=1.5), 'prob must lie between 0 and 1, but is 1.5'),
        (lambda: RandomSaliencyFlip(directions=['diagonal']), "chosen from.*'diagonal'"),
        (lambda: RandomSaliencyFlip(directions=[]), 'directions must be chosen from'),
    ],
)
def test_refuses_nonsense(make, message):
    with pytest.raises(ValueError, match=message):
        make()
