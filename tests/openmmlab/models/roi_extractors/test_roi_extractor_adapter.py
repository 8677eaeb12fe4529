from __future__ import annotations

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import torch
from mmdet.registry import MODELS
from mmengine.config import ConfigDict
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from sod_plugins.ops import roi_masking

pytestmark = pytest.mark.mmdet
ROIS = torch.tensor([[0.0, 8, 8, 40, 24], [1, 3, 5, 30, 61]])


@pytest.mark.parametrize(
    ('name', 'frame', 'size'),
    [('RoIMasking', 'image', (8, 8)), ('RoIAlign', 'box', (28, 28)), ('RoIPool', 'box', (28, 28))],
)
def test_takes_the_level_of_its_stride(name, frame, size):
    extractor = MODELS.build(
        dict(type=f'sod_plugins.{name}', in_channels=4, out_channels=6, featmap_strides=[4, 8, 16])
    )
    levels = [torch.randn(2, 4, 64 // s, 64 // s) for s in (4, 8, 16)]
    features = extractor(levels, ROIS)
    assert features.shape == (2, 6, *size)
    assert torch.equal(features, extractor(levels[1], ROIS))
    assert (extractor.num_inputs, extractor.out_channels, extractor.frame) == (3, 6, frame)


def test_masking_without_a_convolution_is_the_operator():
    extractor = MODELS.build(
        dict(type='sod_plugins.RoIMasking', in_channels=4, out_channels=None, alpha=0.5)
    )
    level = torch.randn(2, 4, 8, 8)
    expected = roi_masking(level, ROIS, 1 / 8, 'ternary', 0.5)
    torch.testing.assert_close(extractor((level,), ROIS), expected)


def test_the_level_that_it_reads_must_be_there():
    with pytest.raises(ValueError, match=r'reads the level of stride 8.*\[16, 32\]'):
        MODELS.build(dict(type='sod_plugins.RoIPool', featmap_strides=[16, 32]))


def test_align_serves_in_a_standard_roi_head():
    """Extractors of the box's frame replace mmdet's own."""
    config = ConfigDict(
        type='StandardRoIHead',
        mask_roi_extractor=dict(
            type='sod_plugins.RoIAlign', in_channels=4, out_channels=4, output_size=14
        ),
        mask_head=dict(
            type='FCNMaskHead', num_convs=1, in_channels=4, conv_out_channels=4, num_classes=1
        ),
        test_cfg=dict(mask_thr_binary=0.5),
    )
    config.mask_roi_extractor.featmap_strides = [4, 8]
    with DefaultScope.overwrite_default_scope('mmdet'):
        head = MODELS.build(config)
    levels = [torch.randn(1, 4, 16, 16), torch.randn(1, 4, 8, 8)]
    found = InstanceData(bboxes=ROIS[:1, 1:], labels=torch.zeros(1, dtype=torch.long))
    meta = {'ori_shape': (64, 64), 'scale_factor': (1.0, 1.0)}
    (result,) = head.predict_mask(levels, [meta], [found])
    assert result.masks.shape == (1, 64, 64)
