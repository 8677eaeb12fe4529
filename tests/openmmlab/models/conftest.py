from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)

from mmengine.config import ConfigDict
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from reference_values import settle_statistics
from torch import nn


@pytest.fixture
def model_config() -> ConfigDict:
    """CSNet x1 as mmseg builds it."""
    return ConfigDict(
        type='sod_plugins.SaliencySegmentor',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor', mean=[127.5] * 3, std=[60.0] * 3, size_divisor=1
        ),
        backbone=dict(type='sod_plugins.CSNet'),
        decode_head=dict(type='sod_plugins.CSFHead', in_channels=(40, 80, 80)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )


@pytest.fixture
def labelled():
    """Make a data sample from a soft mask (H, W)."""

    def make(mask: torch.Tensor) -> SegDataSample:
        sample = SegDataSample(metainfo={'ori_shape': tuple(mask.shape)})
        sample.gt_sem_seg = PixelData(data=mask[None])
        return sample

    return make


@pytest.fixture
def settled():
    """Give a network of fresh weights the statistics of noise, and switch it to evaluation."""

    def settle(network: nn.Module) -> nn.Module:
        settle_statistics(network, torch.randn(4, 3, 64, 64))
        return network

    return settle
