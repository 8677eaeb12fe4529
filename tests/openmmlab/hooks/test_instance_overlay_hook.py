from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmengine')

from mmengine.structures import BaseDataElement, InstanceData

from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks import InstanceOverlayHook
from sod_plugins.visualization.instance_overlays import draw_instances


def test_each_tested_image_is_drawn_on(photos, tmp_path):
    path = photos / 'images' / '03.png'
    image = np.asarray(Image.open(path))
    sample = BaseDataElement(metainfo={'img_path': str(path)})
    masks = torch.zeros(2, *image.shape[:2], dtype=torch.bool)
    masks[:, 5:20, 8:30] = True
    boxes = torch.tensor([[8.0, 5, 30, 20]] * 2)
    sample.pred_instances = InstanceData(masks=masks, scores=torch.tensor([0.9, 0.3]), bboxes=boxes)
    InstanceOverlayHook(tmp_path / 'new').after_test_iter(None, 0, outputs=[sample])
    expected = draw_instances(image, masks[:1].numpy(), np.array([0.9]), boxes[:1].numpy())
    assert np.array_equal(Image.open(tmp_path / 'new' / '03.png'), expected)


def test_models_without_masks_are_refused(tmp_path):
    sample = BaseDataElement(metainfo={'img_path': 'photo.png'})
    sample.pred_instances = InstanceData(bboxes=torch.zeros(1, 4))
    with pytest.raises(LaunchError, match='predicts no masks of instances'):
        InstanceOverlayHook(tmp_path).after_test_iter(None, 0, outputs=[sample])
