from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.transforms import (
    RandomMarginCrop,
    RandomResizedCrop,
    RandomSaliencyCrop,
    RandomSaliencyFlip,
)


def coordinates(height, width):
    """Make an image whose pixels are their own row and column, and a mask that tells both."""
    rows, columns = np.mgrid[:height, :width]
    return {
        'img': np.stack([rows, columns, rows], axis=2).astype(np.uint8),
        'gt_seg_map': (rows * 256 + columns).astype(np.float32),
    }


def run(transform, results):
    """Apply a transform to a sample."""
    image, mask = transform.apply(results['img'], results.get('gt_seg_map'), results['rng'])
    return {'img': image, 'gt_seg_map': mask, 'rng': results['rng']}


def matches(results):
    image, mask = results['img'].astype(np.float32), results['gt_seg_map']
    return np.array_equal(image[..., 0] * 256 + image[..., 1], mask)


def test_margins_cover_their_ranges_independently():
    margins = []
    for seed in range(600):
        results = {**coordinates(40, 50), 'rng': np.random.default_rng(seed)}
        results = run(RandomMarginCrop(max_margin=3), results)
        assert matches(results)
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
        results = run(RandomMarginCrop(max_margin=14), results)
        assert min(results['img'].shape[:2]) >= 1
        assert matches(results)


def test_crops_of_one_size_come_from_everywhere():
    corners = []
    for seed in range(300):
        results = {**coordinates(10, 7), 'rng': np.random.default_rng(seed)}
        results = run(RandomSaliencyCrop(size=(8, 4)), results)
        assert matches(results)
        assert results['img'].shape == (8, 4, 3)
        corners.append(tuple(results['img'][0, 0, :2].tolist()))
    # Of 3 x 4 places each is missed with a probability of (11/12)^300.
    assert set(corners) == {(row, column) for row in range(3) for column in range(4)}
    with pytest.raises(ValueError, match=r'cannot cut \(11, 7\) out of an image of \(10, 7\)'):
        run(RandomSaliencyCrop((11, 7)), {**coordinates(10, 7), 'rng': np.random.default_rng(0)})


def test_flips_are_as_frequent_as_asked():
    transform = RandomSaliencyFlip(prob=0.5, directions=('horizontal', 'vertical'))
    counts = {None: 0, 'horizontal': 0, 'vertical': 0}
    original = coordinates(4, 6)
    flipped = {
        None: original['img'],
        'horizontal': original['img'][:, ::-1],
        'vertical': original['img'][::-1],
    }
    for seed in range(1000):
        results = run(transform, {**coordinates(4, 6), 'rng': np.random.default_rng(seed)})
        direction = transform.draw_direction(np.random.default_rng(seed))
        np.testing.assert_array_equal(results['img'], flipped[direction])
        assert matches(results)
        counts[direction] += 1
    # Expected 500, 250, 250 with standard deviations of 16 and 14; five of them are allowed.
    assert abs(counts[None] - 500) < 80
    assert abs(counts['horizontal'] - 250) < 70


def test_choices_depend_on_the_given_generator_alone():
    def crop():
        results = {**coordinates(40, 40), 'rng': np.random.default_rng(8)}
        return run(RandomSaliencyFlip(), run(RandomMarginCrop(), results))['img']

    np.random.seed(1)
    first = crop()
    np.random.seed(2)
    np.testing.assert_array_equal(crop(), first)


def test_works_without_a_mask():
    results = {'img': coordinates(40, 40)['img'], 'rng': np.random.default_rng(0)}
    results = run(RandomSaliencyFlip(prob=1), run(RandomMarginCrop(), results))
    assert results['gt_seg_map'] is None


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: RandomMarginCrop(max_margin=-1), 'max_margin must be 0 or larger, but is -1'),
        (lambda: RandomSaliencyFlip(prob=1.5), 'prob must lie between 0 and 1, but is 1.5'),
        (
            lambda: RandomSaliencyFlip(directions=['diagonal']),
            "directions must be one of .*'diagonal'",
        ),
        (lambda: RandomSaliencyFlip(directions=[]), 'directions must be a list of'),
        (lambda: RandomResizedCrop((8, 8), scale=(0.5, 1.5)), 'scale must rise within 0'),
        (lambda: RandomResizedCrop((8, 8), ratio=(2, 1)), r'ratio must rise .* is \(2, 1\)'),
    ],
)
def test_refuses_nonsense(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def parts(shape, count=2000, **kwargs):
    """Return (top, left, rows, columns) of the parts that ``RandomResizedCrop`` cuts out."""
    crop = RandomResizedCrop((2, 2), **kwargs)
    drawn = [crop.draw_part(*shape, np.random.default_rng(seed)) for seed in range(count)]
    return np.array(
        [(r.start, c.start, r.stop - r.start, c.stop - c.start) for r, c in drawn], dtype=float
    )


def test_parts_fill_area_shape_and_place():
    height, width = 300, 400
    # Half of the image at most: hardly any trial fails, which would favour the small parts.
    top, left, rows, columns = parts((height, width), scale=(0.1, 0.5)).T
    area, ratio = rows * columns / (height * width), np.log(columns / rows)
    limit = np.log(4 / 3)
    # Sides are rounded to whole pixels, which moves areas and ratios by about 1%.
    assert 0.099 < area.min() < 0.11 and 0.49 < area.max() < 0.505
    assert -limit - 0.02 < ratio.min() < -limit + 0.02 and limit - 0.02 < ratio.max() < limit + 0.02
    for values, low, high in ((area, 0.1, 0.5), (ratio, -limit, limit)):
        deviation = (high - low) / np.sqrt(12)
        assert abs(values.mean() - (low + high) / 2) < 5 * deviation / np.sqrt(len(values))
        assert abs(values.std() - deviation) < 0.05 * deviation
    for start, length, side in ((top, rows, height), (left, columns, width)):
        assert start.min() >= 0 and (start + length).max() <= side
        place = start / np.maximum(side - length, 1)
        assert place.min() < 0.01 and place.max() > 0.99
        assert abs(place.mean() - 0.5) < 5 * 0.289 / np.sqrt(len(place))


@pytest.mark.parametrize(
    ('shape', 'expected'),
    [
        ((10, 100), (0, 43, 10, 13)),  # as wide as allowed, in the middle
        ((100, 10), (43, 0, 13, 10)),
        ((1, 1), (0, 0, 1, 1)),
    ],
)
def test_the_centre_is_taken_where_no_part_fits(shape, expected):
    """The whole area never has an allowed shape in a long image."""
    assert set(map(tuple, parts(shape, 20, scale=(1, 1)))) == {expected}


def test_a_part_is_resized_with_its_mask():
    crop = RandomResizedCrop((12, 16), scale=(0.3, 0.9))
    results = run(crop, {**coordinates(60, 80), 'rng': np.random.default_rng(4)})
    rows, columns = crop.draw_part(60, 80, np.random.default_rng(4))
    assert results['img'].shape == (12, 16, 3) and results['img'].dtype == np.float32
    assert results['gt_seg_map'].shape == (12, 16)
    # Half-pixel centres: pixel i of n shows (i + 0.5) * scale - 0.5 within the part.
    expected = rows.start + (np.arange(12) + 0.5) * (rows.stop - rows.start) / 12 - 0.5
    np.testing.assert_allclose(results['img'][:, 3, 0], expected, rtol=0, atol=1e-3)
    expected = columns.start + (np.arange(16) + 0.5) * (columns.stop - columns.start) / 16 - 0.5
    np.testing.assert_allclose(results['img'][3, :, 1], expected, rtol=0, atol=1e-3)
    image = results['img'][..., 0] * 256 + results['img'][..., 1]
    np.testing.assert_allclose(results['gt_seg_map'], image, rtol=1e-4)
