from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from sod_plugins import transforms
from sod_plugins.data import DataError
from sod_plugins.openmmlab.datasets.transforms import (
    ColorJitter,
    LoadSaliencyImage,
    LoadSaliencyMask,
)


def test_photo_and_soft_mask_are_turned_upright(tmp_path):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    levels = np.array([[0, 51, 255]] * 2, dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the file must be turned clockwise
    Image.fromarray(pixels).save(tmp_path / 'image.png', exif=exif)
    Image.fromarray(levels).save(tmp_path / 'mask.png', exif=exif)
    results = {
        'img_path': str(tmp_path / 'image.png'),
        'seg_map_path': str(tmp_path / 'mask.png'),
    }
    results = LoadSaliencyMask()(LoadSaliencyImage()(results))
    np.testing.assert_array_equal(results['img'], np.rot90(pixels, -1))
    np.testing.assert_allclose(results['gt_seg_map'], [[0, 0], [0.2, 0.2], [1, 1]], rtol=1e-6)
    assert results['ori_shape'] == results['img_shape'] == (3, 2)


def test_mask_of_another_size_is_refused(tmp_path):
    Image.new('L', (3, 2)).save(tmp_path / 'mask.png')
    results = {'seg_map_path': str(tmp_path / 'mask.png'), 'ori_shape': (4, 4)}
    with pytest.raises(DataError, match=r"mask\.png' has \(2, 3\) pixels.*its image \(4, 4\)"):
        LoadSaliencyMask()(results)


def test_the_order_of_channels_is_that_asked_for(tmp_path):
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    Image.fromarray(pixels).save(tmp_path / 'image.png')
    results = LoadSaliencyImage('bgr')({'img_path': str(tmp_path / 'image.png')})
    np.testing.assert_array_equal(results['img'], pixels[..., ::-1])
    with pytest.raises(ValueError, match="channel_order must be one of 'rgb', 'bgr', got 'grb'"):
        LoadSaliencyImage('grb')


@pytest.mark.parametrize('order', ['rgb', 'bgr', None])
def test_colours_change_alike_in_either_order(tmp_path, order):
    """None is what the hosts' loaders leave: blue first, unsaid."""
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    jitter = ColorJitter(0.3, 0.3, 0.3, 0.2)
    expected, _ = transforms.ColorJitter(0.3, 0.3, 0.3, 0.2).apply(
        image, None, np.random.default_rng(1)
    )
    step = 1 if order == 'rgb' else -1
    results = {'img': image[..., ::step], 'rng': np.random.default_rng(1)}
    results |= {} if order is None else {'channel_order': order}
    np.testing.assert_array_equal(jitter(results)['img'][..., ::step], expected)


def test_a_sample_without_a_mask_stays():
    results = {'img': np.zeros((2, 2, 3), np.uint8), 'ori_shape': (2, 2)}
    assert 'gt_seg_map' not in LoadSaliencyMask()(results)
