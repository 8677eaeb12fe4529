from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from sod_plugins.data import bounding_box, compress_mask, encode_rle
from sod_plugins.data.instances import add_image, new_coco
from sod_plugins.metrics.average_precision import (
    THRESHOLDS,
    _as_api,
    coco_measures,
    per_image_measures,
    released_average_precision,
)

SIZE = (24, 30)


def rectangle(left, top, width, height):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + height, left : left + width] = True
    return mask


def prediction(image, score, mask):
    box = bounding_box(mask)
    return {'image_id': image, 'score': score, 'segmentation': compress_mask(mask), 'bbox': box}


@pytest.fixture(scope='module')
def random_case():
    """Six images of up to four rectangles, one a crowd, and shifted, missed and made up ones."""
    rng = np.random.default_rng(4)
    coco, predictions, truths, found = new_coco(), [], [], []
    for image in range(6):
        masks = [
            rectangle(*rng.integers(0, 15, 2), *rng.integers(4, 10, 2)) for _ in range(image % 5)
        ]
        add_image(coco, f'{image}.png', SIZE, masks)
        guesses = [np.roll(mask, rng.integers(-2, 3, 2), (0, 1)) for mask in masks for _ in 'ab']
        guesses += [rectangle(*rng.integers(0, 15, 2), *rng.integers(4, 10, 2)) for _ in 'ab']
        scores = rng.permutation(len(guesses)) / 16 + image / 1000
        predictions += [prediction(image, *pair) for pair in zip(scores, guesses, strict=True)]
        truths.append(masks)
        found.append(sorted(zip(scores, guesses, strict=True), key=lambda pair: -pair[0]))
    coco['annotations'][3]['iscrowd'] = 1
    crowd = coco['annotations'][3]
    first = {a['image_id']: a['id'] for a in reversed(coco['annotations'])}
    crowds = {(crowd['image_id'], crowd['id'] - first[crowd['image_id']])}
    return coco, predictions, truths, found, crowds


def naive_match(truths, guesses, crowded, threshold):
    """COCO's greedy matching of one image: for each guess True, False, or None (ignored)."""
    order = sorted(range(len(truths)), key=lambda index: index in crowded)
    taken, verdicts = set(), []
    for guess in guesses:
        best, chosen = threshold, None
        for index in order:
            if index in taken and index not in crowded:
                continue
            if chosen is not None and chosen not in crowded and index in crowded:
                break
            shared = (guess & truths[index]).sum()
            whole = guess.sum() if index in crowded else (guess | truths[index]).sum()
            if shared / whole >= best:
                best, chosen = shared / whole, index
        verdicts.append(None if chosen in crowded else chosen is not None)
        if chosen is not None:
            taken.add(chosen)
    return verdicts


def naive_measures(truths, found, crowds, threshold, most):
    """AP, interpolated at 101 recalls, and recall, from the definition."""
    ranked, count = [], 0
    for image, masks in enumerate(truths):
        crowded = {index for other, index in crowds if other == image}
        count += len(masks) - len(crowded)
        best = found[image][:most]
        verdicts = naive_match(masks, [mask for _, mask in best], crowded, threshold)
        ranked += [(s, v) for (s, _), v in zip(best, verdicts, strict=True) if v is not None]
    ranked.sort(key=lambda pair: -pair[0])
    points, hits = [], 0
    for number, (_, verdict) in enumerate(ranked, start=1):
        hits += verdict
        points.append((hits / count, hits / number))
    levels = [
        max((p for r, p in points if r >= level / 100 - 1e-12), default=0) for level in range(101)
    ]
    return np.mean(levels), hits / count


def test_equals_the_definition(random_case):
    coco, predictions, truths, found, crowds = random_case
    result = coco_measures(predictions, coco, 'mask', range(6))
    naive = {
        most: [naive_measures(truths, found, crowds, t - 1e-12, most) for t in THRESHOLDS]
        for most in (1, 10, 20, 100)
    }
    expected = {
        'map': np.mean([ap for ap, _ in naive[100]]),
        **{f'ap{t}': naive[100][THRESHOLDS.index(t / 100)][0] for t in (50, 70, 75)},
        **{f'ar{most}': np.mean([recall for _, recall in naive[most]]) for most in naive},
    }
    assert result == pytest.approx(expected, abs=1e-9)
    assert 0.05 < result['ap70'] < result['map'] < result['ap50'] < 0.95


@pytest.mark.parametrize(('kind', 'type_'), [('mask', 'segm'), ('box', 'bbox')])
def test_equals_the_summary_of_pycocotools(random_case, kind, type_):
    from pycocotools.cocoeval import COCOeval

    coco, predictions, *_ = random_case
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _as_api(coco, coco['annotations'])
        evaluation = COCOeval(truth, _as_api(coco, predictions), type_)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    result = coco_measures(predictions, coco, kind, range(6))
    names = {0: 'map', 1: 'ap50', 2: 'ap75', 6: 'ar1', 7: 'ar10', 8: 'ar100'}
    for place, name in names.items():
        assert result[name] == pytest.approx(evaluation.stats[place], abs=1e-12)


def test_closed_forms():
    """Two objects; the better prediction misses by half, the other covers 3/4 of its object."""
    coco = new_coco()
    add_image(coco, 'a.png', SIZE, [rectangle(0, 0, 8, 8), rectangle(12, 0, 8, 8)])
    add_image(coco, 'b.png', SIZE, [])
    guesses = [
        prediction(0, 0.9, rectangle(0, 0, 8, 3)),
        prediction(0, 0.8, rectangle(12, 0, 8, 6)),
    ]
    result = coco_measures(guesses, coco, 'mask', [0, 1])
    # From rank 2 on precision and recall are 1/2: 51 of 101 levels, at 6 of the 10 thresholds.
    assert result['ap50'] == result['ap75'] == pytest.approx(0.5 * 51 / 101)
    assert result['map'] == pytest.approx(0.6 * 0.5 * 51 / 101)
    assert (result['ar1'], result['ar10']) == (0, pytest.approx(0.6 * 0.5))
    # Without a prediction, and with the perfect ones of other categories and crowd flags unset.
    assert set(coco_measures([], coco, 'mask', [0, 1]).values()) == {0}
    perfect = [
        {
            'image_id': 0,
            'score': 0.5,
            'category_id': 7,
            'segmentation': encode_rle(mask),
            'bbox': box,
        }
        for mask, box in (
            (rectangle(0, 0, 8, 8), [0, 0, 8, 8]),
            (rectangle(12, 0, 8, 8), [12, 0, 8, 8]),
        )
    ]
    for kind in ('mask', 'box'):
        perfect_result = coco_measures(perfect, coco, kind, [0, 1])
        assert perfect_result.pop('ar1') == pytest.approx(0.5)
        assert set(perfect_result.values()) == {1}


def overlaps(objects, hits):
    """Return the IoUs of predictions that hit the object of that number, or nothing (None)."""
    table = np.zeros((len(hits), objects))
    for row, hit in zip(table, hits, strict=True):
        if hit is not None:
            row[hit] = 0.9
    return table


@pytest.mark.parametrize(
    ('objects', 'hits', 'expected'),
    [
        (1, [0, None], 1.0),
        (1, [None, 0], 0.25),  # an ordinary average precision is 0.5
        (2, [0, 1], 1.0),
        (2, [0, None, 1], 0.625),
        (2, [None, 0, 1], 0.25),
        (2, [0], 0.5),
        (2, [0, *[None] * 18], 0.5),
        (1, [0, 0], 1.0),
        (1, [], 0.0),
        (3, [None, None], 0.0),
    ],
)
def test_released_average_precision(objects, hits, expected):
    assert released_average_precision(overlaps(objects, hits), 0.5) == pytest.approx(expected)


def test_released_matching_is_strict_and_takes_the_best_left():
    assert released_average_precision(np.array([[0.5]]), 0.5) == 0
    # The first object takes the second prediction, the better one, and leaves the first to the
    # second object: the first prefix has one hit, the second two.
    assert released_average_precision(np.array([[0.6, 0.7], [0.8, 0.75]]), 0.5) == 1
    # The one prediction that covers both is consumed by the first.
    assert released_average_precision(np.array([[0.6, 0.7]]), 0.5) == 0.5


def test_released_measures_are_means_over_the_images_with_objects():
    coco = new_coco()
    square = rectangle(2, 2, 10, 10)
    add_image(coco, 'a.png', SIZE, [square])
    add_image(coco, 'b.png', SIZE, [square])
    add_image(coco, 'c.png', SIZE, [])
    add_image(coco, 'd.png', SIZE, [square])
    guesses = [
        prediction(0, 0.1, rectangle(2, 2, 10, 6)),  # IoU 0.6: a hit at 0.5 and 0.55
        prediction(0, 0.9, rectangle(20, 2, 5, 5)),
        prediction(1, 0.3, square),
        prediction(2, 0.9, square),
    ]
    result = per_image_measures(guesses, coco, range(4))
    assert result['ap50'] == pytest.approx((0.25 + 1 + 0) / 3)
    assert result['ap70'] == pytest.approx(1 / 3)
    assert result['map'] == pytest.approx((0.2 * 0.25 + 1) / 3)
