from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmcv')

from sod_plugins.data import DataError
from sod_plugins.openmmlab.datasets.transforms import LoadSaliencyImage, LoadSaliencyMask


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
    results = {'seg_map_path': str(tmp_path / 'mask.png'), 'img_shape': (4, 4)}
    with pytest.raises(DataError, match=r"mask\.png' has \(2, 3\) pixels.*its image \(4, 4\)"):
        LoadSaliencyMask()(results)
