from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmseg')

from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from sod_plugins.openmmlab.hooks import SaliencyOverlayHook
from sod_plugins.visualization.overlays import tint_saliency


def test_each_tested_image_is_tinted(photos, tmp_path):
    path = photos / 'images' / '03.png'
    image = np.asarray(Image.open(path))
    saliency = np.linspace(0, 1, image[..., 0].size, dtype=np.float32).reshape(image.shape[:2])
    sample = SegDataSample(metainfo={'img_path': str(path)})
    # Interpolated maps may be above 1 by rounding.
    sample.seg_logits = PixelData(data=torch.from_numpy(saliency * (1 + 1e-6))[None])
    SaliencyOverlayHook(tmp_path / 'new').after_test_iter(None, 0, outputs=[sample])
    written = np.asarray(Image.open(tmp_path / 'new' / '03.png'))
    # One grey level where the factor changes the rounding.
    np.testing.assert_allclose(written, tint_saliency(image, saliency), atol=1, rtol=0)
    assert np.abs(written[-1].astype(int) - image[-1]).max() > 50
