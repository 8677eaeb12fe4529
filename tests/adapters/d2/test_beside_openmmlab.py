"""The two adapters in one process: equal outputs, and checkpoints from one host to the other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from reference_values import settle_statistics

pytest.importorskip('detectron2.modeling', exc_type=ImportError)
pytest.importorskip('mmdet.models', exc_type=ImportError)

from d2_models import METHODS, NARROW, s4net_config, saliency_config, sample_of
from detectron2.modeling import build_model
from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import load_checkpoint
from mmseg.structures import SegDataSample

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import save_network
from sod_plugins.checkpoints.reading import DESCRIPTION
from sod_plugins.networks import Preprocessing, S4Net
from sod_plugins.openmmlab.description import describe_model as describe_there
from sod_plugins.ops import resize_bilinear

NORMALISED = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
SIZE = (64, 64)


def saliency_there(plain, name):
    """The same network in mmseg's segmentor."""
    init_default_scope('mmseg')
    _, (backbone, backbone_arguments), (head, head_arguments) = METHODS[name]
    head_arguments = dict(head_arguments, in_channels=plain.backbone.out_channels)
    if name == 'PiCANet':
        head_arguments['in_strides'] = plain.backbone.out_strides
    return MODELS.build(
        dict(
            type='sod_plugins.SaliencySegmentor',
            data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=1, **NORMALISED),
            backbone=dict(type=f'sod_plugins.{backbone}', **backbone_arguments),
            decode_head=dict(type=f'sod_plugins.{head}', **head_arguments),
            test_cfg=ConfigDict(mode='whole'),
        )
    ).eval()


def save_there(model, path, resize):
    """Write a checkpoint as the description hook of a training does."""
    pipeline = [resize]
    cfg = dict(test_dataloader=dict(dataset=dict(pipeline=pipeline)))
    content = {'state_dict': model.state_dict(), DESCRIPTION: describe_there(model, cfg).to_dict()}
    torch.save(content, path)


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize('name', METHODS)
def test_saliency(name, photo, tmp_path):
    torch.manual_seed(0)
    plain = METHODS[name][0]()
    settle_statistics(plain, torch.randn(2, 3, *SIZE))
    plain.preprocessing = Preprocessing(SIZE)
    there, here = saliency_there(plain, name), build_model(saliency_config(name)).eval()
    checkpointer = adapter.Checkpointer(here, str(tmp_path))

    # From plain torch through OpenMMLab to detectron2.
    save_network(tmp_path / 'plain.pth', plain)
    load_checkpoint(there, str(tmp_path / 'plain.pth'), strict=True)
    save_there(there, tmp_path / 'there.pth', dict(type='sod_plugins.ResizeSaliency', size=SIZE))
    checkpointer.load(str(tmp_path / 'there.pth'))
    check_saliency(there, here, photo)

    # And from detectron2 to OpenMMLab.
    checkpointer.save('here')
    fresh = saliency_there(plain, name)
    load_checkpoint(fresh, str(tmp_path / 'here.pth'), strict=True)
    check_saliency(fresh, here, photo)


def check_saliency(there, here, photo):
    pixels = torch.from_numpy(photo.transpose(2, 0, 1).copy()).float()[None]
    resized = resize_bilinear(pixels, SIZE)[0].flip(0)  # BGR, as the pipelines hand over
    sample = SegDataSample(metainfo=dict(ori_shape=photo.shape[:2], img_shape=SIZE))
    with torch.no_grad():
        (expected,) = there.test_step(dict(inputs=[resized], data_samples=[sample]))
        (found,) = here([sample_of(photo)])
    torch.testing.assert_close(found['saliency'], expected.seg_logits.data[0], rtol=0, atol=1e-5)


def s4net_there():
    """The same network in mmdet's detector."""
    init_default_scope('mmdet')
    parts = {name: dict(arguments) for name, arguments in NARROW.items()}
    return MODELS.build(
        dict(
            type='sod_plugins.S4Net',
            data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32, **NORMALISED),
            backbone=dict(type='sod_plugins.ResNet', depth=18, out_indices=(2, 3, 4)),
            neck=dict(type='sod_plugins.S4NetFPN', in_channels=(128, 256, 512), **parts['neck']),
            bbox_head=dict(type='sod_plugins.S4NetHead', in_channels=16, **parts['bbox_head']),
            roi_extractor=dict(
                type='sod_plugins.RoIMasking', in_channels=16, **parts['roi_extractor']
            ),
            mask_head=dict(type='sod_plugins.S4NetMaskHead', in_channels=8, **parts['mask_head']),
        )
    ).eval()


def test_s4net(photo, tmp_path):
    torch.manual_seed(0)
    plain = S4Net(backbone={'type': 'ResNet', 'depth': 18}, **NARROW)
    settle_statistics(plain.backbone, torch.randn(2, 3, *SIZE))
    plain.preprocessing = Preprocessing(SIZE)
    there, here = s4net_there(), build_model(s4net_config()).eval()
    checkpointer = adapter.Checkpointer(here, str(tmp_path))
    save_network(tmp_path / 'plain.pth', plain)
    load_checkpoint(there, str(tmp_path / 'plain.pth'), strict=True)
    save_there(there, tmp_path / 'there.pth', dict(type='Resize', scale=SIZE, keep_ratio=False))
    checkpointer.load(str(tmp_path / 'there.pth'))
    check_instances(there, here, photo)
    checkpointer.save('here')
    fresh = s4net_there()
    load_checkpoint(fresh, str(tmp_path / 'here.pth'), strict=True)
    check_instances(fresh, here, photo)


def check_instances(there, here, photo):
    pixels = torch.from_numpy(photo.transpose(2, 0, 1).copy()).float()[None]
    resized = resize_bilinear(pixels, SIZE)[0].flip(0)
    factor = (SIZE[1] / photo.shape[1], SIZE[0] / photo.shape[0])
    meta = dict(ori_shape=photo.shape[:2], img_shape=SIZE, scale_factor=factor)
    with torch.no_grad():
        sample = DetDataSample(metainfo=meta)
        (expected,) = there.test_step(dict(inputs=[resized], data_samples=[sample]))
        (found,) = here([sample_of(photo)])
    expected, found = expected.pred_instances, found['instances']
    assert len(found) == len(expected) > 0
    torch.testing.assert_close(found.scores, expected.scores, rtol=0, atol=1e-5)
    torch.testing.assert_close(found.pred_boxes.tensor, expected.bboxes, rtol=1e-5, atol=1e-5)
    assert torch.equal(found.pred_masks, expected.masks)
