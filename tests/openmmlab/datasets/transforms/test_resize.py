from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip('mmcv')

from sod_plugins.networks import Preprocessing
from sod_plugins.openmmlab.datasets.transforms import ResizeCenterCrop, ResizeSaliency


def test_bilinear_without_rounding():
    """Half-pixel centres: doubling four values interpolates at offsets of a quarter."""
    image = np.array([[0, 4, 100, 255]], dtype=np.uint8)[..., None].repeat(3, axis=2)
    mask = np.array([[0, 0, 1, 1]], dtype=np.float32)
    results = ResizeSaliency(size=(1, 8))({'img': image, 'gt_seg_map': mask})
    assert results['img'].dtype == results['gt_seg_map'].dtype == np.float32
    expected = [0, 1, 3, 28, 76, 138.75, 216.25, 255]
    np.testing.assert_allclose(results['img'][0, :, 1], expected, rtol=1e-6)
    np.testing.assert_allclose(results['gt_seg_map'][0], [0, 0, 0, 0.25, 0.75, 1, 1, 1], rtol=1e-6)
    assert results['img_shape'] == (1, 8)


@pytest.mark.parametrize('antialias', [False, True])
def test_same_pixels_as_for_prediction(antialias):
    image = np.random.default_rng(0).integers(0, 256, (50, 37, 3), dtype=np.uint8)
    described = Preprocessing((20, 30), (0, 0, 0), (1, 1, 1), antialias)
    prepared = described.apply(image)[0]
    resized = ResizeSaliency(size=(20, 30), antialias=antialias)({'img': image})['img']
    np.testing.assert_array_equal(resized, prepared.permute(1, 2, 0).numpy())


@pytest.mark.parametrize('shape', [(40, 60), (60, 40), (40, 40), (20, 33)])
def test_the_centre_is_kept_after_the_short_edge_was_resized(shape):
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    image = np.stack([rows, columns, rows], axis=2)
    results = ResizeCenterCrop((28, 28), short_edge=32)({'img': image})
    assert results['img'].shape == (28, 28, 3) and results['img'].dtype == np.float32
    assert results['img_shape'] == (28, 28)
    scale = min(shape) / 32
    for axis, channel in ((0, 0), (1, 1)):
        line = results['img'].mean(axis=1 - axis)[:, channel]
        # Neighbours are `scale` apart; the middle is the image's, to half a pixel of the crop.
        np.testing.assert_allclose(np.diff(line), scale, rtol=0.02)
        assert abs(line.mean() - (shape[axis] - 1) / 2) <= 0.5 * scale + 1e-3


def test_a_crop_larger_than_the_image_is_refused():
    with pytest.raises(ValueError, match=r'at least the larger side of size \(28, 40\)'):
        ResizeCenterCrop((28, 40), short_edge=32)
