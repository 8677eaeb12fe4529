from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, assign_keywords, read_keywords, write_pseudo_labels
from sod_plugins.data.instances import add_image, new_coco

SIZE = (20, 30)
COLOURS = {'cat': (200, 30, 30), 'dog': (30, 200, 30), 'cow': (30, 30, 200)}


def square(top, left, side=6):
    mask = np.zeros(SIZE, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def mean_colour(image, masks):
    """Describe instances by their colour."""
    return np.array([image[mask].mean(axis=0) for mask in masks])


class Zoo:
    """Photos of squares whose colours are their animals."""

    def __init__(self, folder):
        self.folder, self.coco, self.keywords = folder, new_coco(), {}
        (folder / 'images').mkdir()

    def add(self, name, keywords, *animals, scores=None):
        """Add a photo with a square for each (animal, mask), and keywords for it."""
        rng = np.random.default_rng(len(self.keywords))
        pixels = rng.integers(90, 110, (*SIZE, 3))
        for animal, mask in animals:
            pixels[mask] = COLOURS[animal] + rng.integers(-20, 20, 3)
        Image.fromarray(pixels.astype(np.uint8)).save(self.folder / 'images' / f'{name}.png')
        before = len(self.coco['annotations'])
        add_image(self.coco, f'{name}.png', SIZE, [mask for _, mask in animals])
        for entry, score in zip(self.coco['annotations'][before:], scores or (), strict=False):
            entry['score'] = score
        if keywords:
            self.keywords[name] = keywords

    def write(self, **options):
        """Write the labels; return report and labels by name."""
        path, out = self.folder / 'instances.json', self.folder / 'out'
        path.write_text(json.dumps(self.coco))
        images = self.folder / 'images'
        report = write_pseudo_labels(path, self.keywords, out, image_dir=images, **options)
        labels = {file.stem: np.asarray(Image.open(file)) for file in (out / 'labels').iterdir()}
        assert (out / 'list.txt').read_text().split() == [name[:-4] for name in report.labelled]
        assert sorted(labels) == sorted(name[:-4] for name in report.labelled)
        assert json.loads((out / 'report.json').read_text())['classes'] == list(report.classes)
        return report, labels


@pytest.fixture
def zoo(tmp_path):
    """One photo of each animal alone, two of two together."""
    made = Zoo(tmp_path)
    made.add('cat1', ['cat'], ('cat', square(2, 2)), ('cat', square(10, 20)))
    made.add('dog1', ['dog'], ('dog', square(4, 8)))
    made.add('cow1', ['cow'], ('cow', square(12, 3)))
    made.add('two', ['dog', 'cat'], ('cat', square(0, 0)), ('dog', square(0, 10)))
    three = [('cow', square(0, 0)), ('dog', square(0, 10)), ('cow', square(12, 20))]
    made.add('three', ['cow', 'dog'], *three)
    return made


def test_the_one_keyword_goes_to_all_instances_of_its_image(zoo):
    report, labels = zoo.write()
    assert report.classes == ('cat', 'cow', 'dog')
    expected = np.zeros(SIZE, dtype=np.uint8)
    expected[square(2, 2) | square(10, 20)] = 1
    np.testing.assert_array_equal(labels['cat1'], expected)
    np.testing.assert_array_equal(labels['dog1'], 3 * square(4, 8))
    assert report.instances == {'cat': 2, 'dog': 1, 'cow': 1}
    reason = 'it has several keywords, and instances were not described'
    assert report.unused_images == {'two.png': reason, 'three.png': reason}


def test_several_keywords_go_to_the_instances_that_resemble_them(zoo):
    report, labels = zoo.write(describe=mean_colour, classes=['dog', 'cat', 'cow'])
    np.testing.assert_array_equal(labels['two'], 2 * square(0, 0) + square(0, 10))
    np.testing.assert_array_equal(
        labels['three'], 3 * (square(0, 0) | square(12, 20)) + square(0, 10)
    )
    assert report.instances == {'cat': 3, 'dog': 3, 'cow': 3}
    assert not report.unused_images and not report.unused_keywords


def test_what_teaches_nothing_is_left_out_and_named(zoo):
    zoo.add('plain', None, ('cat', square(2, 2)))
    zoo.add('empty', ['cat'])
    zoo.add('one', ['cat', 'dog'], ('dog', square(2, 2)))
    zoo.add('unknown', ['cat', 'emu'], ('cat', square(2, 2)))
    zoo.keywords['absent'] = ['dog']
    report, labels = zoo.write(describe=mean_colour)
    assert report.unused_images == {
        'plain.png': 'it has no keyword',
        'empty.png': 'no instance scores 0.5 or better',
        'unknown.png': 'no labelled image has emu as its only keyword',
        'absent': 'it is not among the images of the instances',
    }
    assert report.unused_keywords == {'one.png': ['cat']}
    np.testing.assert_array_equal(labels['one'], 3 * square(2, 2))


def test_scores_decide_overlaps_and_doubt(tmp_path):
    zoo = Zoo(tmp_path)
    zoo.add('cat1', ['cat'], ('cat', square(1, 1)))
    zoo.add('dog1', ['dog'], ('dog', square(1, 1)))
    under, over, doubtful, bad = square(0, 0, 8), square(4, 4, 8), square(8, 8, 8), square(0, 20)
    animals = [('dog', under), ('cat', over), ('cow', doubtful), ('cow', bad)]
    zoo.add('pair', ['cat', 'dog'], *animals, scores=[0.6, 0.9, 0.3, 0.1])
    zoo.coco['annotations'].append(
        {'image_id': 2, 'score': 0.9, 'segmentation': {'size': list(SIZE), 'counts': [600]}}
    )
    _, labels = zoo.write(describe=lambda image, masks: [[0, 1], [1, 0]][-len(masks) :])
    expected = np.zeros(SIZE, dtype=np.uint8)
    # The colours do not matter here, the features do: the better score comes first, and both
    # prototypes are [1, 0], so either way is as good; the label of the better one lies on top.
    top, below = labels['pair'][5, 5], labels['pair'][0, 0]
    assert {top, below} == {1, 2}
    expected[doubtful], expected[under], expected[over] = 255, below, top
    np.testing.assert_array_equal(labels['pair'], expected)


@pytest.mark.parametrize('shape', [(4, 2), (5, 3), (3, 3), (2, 3), (1, 2), (4, 1)])
def test_assignment_is_the_best_of_all(shape):
    instances, keywords = shape
    rng = np.random.default_rng(1)
    for _ in range(20):
        resemblance = rng.normal(size=shape)
        ways = itertools.product(range(keywords), repeat=instances)
        least = min(shape)
        allowed = [way for way in ways if len(set(way)) >= least]
        best = max(allowed, key=lambda way: resemblance[range(instances), way].sum())
        assert assign_keywords(resemblance).tolist() == list(best)


def test_keywords_are_read(tmp_path):
    path = tmp_path / 'keywords.txt'
    path.write_text('a.jpg dog, cat\n\nmy cat.png\tcat,  big cat, cat\nb cow\n')
    expected = {'a': ['dog', 'cat'], 'my cat': ['cat', 'big cat'], 'b': ['cow']}
    assert read_keywords(path) == expected
    path.write_text('a.jpg dog\nb.jpg\na.png cat\n')
    with pytest.raises(DataError, match=r"line 2 has no keyword\nline 3 names 'a' again"):
        read_keywords(path)
    with pytest.raises(DataError, match=r'none\.txt.*Correct the path'):
        read_keywords(tmp_path / 'none.txt')


def test_nonsense_is_refused(zoo):
    with pytest.raises(DataError, match=r'Keywords that are not classes: cow, dog\. Correct'):
        zoo.write(classes=['cat'])
    zoo.coco['images'][1]['file_name'] = 'other/cat1.jpg'
    with pytest.raises(DataError, match=r"instances\.json' share a name"):
        zoo.write()
