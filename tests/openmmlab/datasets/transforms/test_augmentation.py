from __future__ import annotations

import inspect

import numpy as np
import pytest

pytest.importorskip('mmcv')

from sod_plugins import transforms as plain
from sod_plugins.openmmlab.datasets import transforms

NAMES = [
    'ColorJitter',
    'MultiSizeResize',
    'RandomMarginCrop',
    'RandomResizedCrop',
    'RandomSaliencyCrop',
    'RandomSaliencyFlip',
    'ResizeCenterCrop',
    'ResizeSaliency',
]
ARGUMENTS = {
    'ColorJitter': {'brightness': 0.3, 'hue': 0.2},
    'MultiSizeResize': {'sizes': [(20, 24)], 'max_margins': [3]},
    'RandomResizedCrop': {'size': [20, 24]},
    'RandomSaliencyCrop': {'size': [20, 24]},
    'ResizeSaliency': {'size': [20, 24]},
    'ResizeCenterCrop': {'size': [20, 24], 'short_edge': 30},
}


def sample(seed=3):
    rng = np.random.default_rng(0)
    return {
        'img': rng.integers(0, 256, (40, 50, 3), dtype=np.uint8),
        'channel_order': 'rgb',
        'gt_seg_map': rng.random((40, 50), dtype=np.float32),
        'rng': np.random.default_rng(seed),
    }


@pytest.mark.parametrize('name', NAMES)
def test_an_adapter_does_and_shows_what_the_plain_transform_does(name):
    adapter, transform = getattr(transforms, name), getattr(plain, name)
    assert inspect.signature(adapter) == inspect.signature(transform)
    assert inspect.getdoc(adapter) == inspect.getdoc(transform)
    arguments = ARGUMENTS.get(name, {})
    assert repr(adapter(**arguments)) == repr(transform(**arguments))
    given = sample()
    image, mask = transform(**arguments).apply(given['img'], given['gt_seg_map'], given['rng'])
    results = adapter(**arguments)(sample())
    np.testing.assert_array_equal(results['img'], image)
    np.testing.assert_array_equal(results['gt_seg_map'], mask)
    assert results['img_shape'] == image.shape[:2]


def test_a_flip_is_noted():
    results = transforms.RandomSaliencyFlip(prob=1, directions=['vertical'])(sample())
    assert (results['flip'], results['flip_direction']) == (True, 'vertical')
    results = transforms.RandomSaliencyFlip(prob=0)(sample())
    assert (results['flip'], results['flip_direction']) == (False, None)


def test_works_without_a_mask():
    results = {key: value for key, value in sample().items() if key != 'gt_seg_map'}
    results = transforms.RandomSaliencyFlip(prob=1)(transforms.RandomMarginCrop()(results))
    assert 'gt_seg_map' not in results
