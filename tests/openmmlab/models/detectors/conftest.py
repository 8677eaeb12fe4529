from __future__ import annotations

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData


@pytest.fixture
def narrow_s4net() -> ConfigDict:
    """S4Net as a detector, narrow enough for a test."""
    return ConfigDict(
        type='sod_plugins.S4Net',
        data_preprocessor=dict(
            type='DetDataPreprocessor', mean=[127.0] * 3, std=[60.0] * 3, pad_mask=True
        ),
        backbone=dict(type='sod_plugins.MobileNet', width=0.25, out_indices=(2, 3, 4)),
        neck=dict(type='sod_plugins.S4NetFPN', in_channels=(64, 128, 256), out_channels=32),
        bbox_head=dict(type='sod_plugins.S4NetHead', in_channels=32, channels=32, match_best=True),
        roi_extractor=dict(type='sod_plugins.RoIMasking', in_channels=32, out_channels=32),
        mask_head=dict(type='sod_plugins.S4NetMaskHead', in_channels=32, channels=(32, 16)),
    )


@pytest.fixture
def scene():
    """Make a data sample of 64x96 pixels with 0 to 3 rectangular instances."""

    def make(count: int) -> DetDataSample:
        boxes = torch.tensor([[4.0, 8, 44, 56], [40, 20, 90, 60], [0, 0, 16, 24]])[:count]
        masks = np.zeros((count, 64, 96), dtype=np.uint8)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
            mask[y1:y2, x1:x2] = 1
        sample = DetDataSample(metainfo={'img_shape': (64, 96), 'ori_shape': (64, 96)})
        labels = torch.zeros(count, dtype=torch.long)
        sample.gt_instances = InstanceData(
            bboxes=boxes, labels=labels, masks=BitmapMasks(masks, 64, 96)
        )
        return sample

    return make
