from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS

from sod_plugins.networks.losses import boundary_weights, ssim_loss, weighted_bce, weighted_iou


def build(**arguments):
    return MODELS.build(dict(type='sod_plugins.BoundaryWeightedLoss', **arguments))


def test_is_the_sum_of_its_terms():
    torch.manual_seed(0)
    logits, masks = torch.randn(2, 1, 40, 32), torch.rand(2, 40, 32)
    weights = boundary_weights(masks[:, None], 15, 3.0)
    bce, iou = (f(logits, masks[:, None], weights) for f in (weighted_bce, weighted_iou))
    settings = dict(window=15, strength=3.0, iou_weight=0.5, loss_weight=2.0)
    torch.testing.assert_close(build(**settings)(logits, masks), 2 * (bce + 0.5 * iou))
    ssim = ssim_loss(logits, masks[:, None], torch.ones(2, 1, 40, 32))
    loss = build(**settings, ssim_weight=0.3)(logits, masks)
    torch.testing.assert_close(loss, 2 * (bce + 0.5 * iou + 0.3 * ssim))


@pytest.mark.parametrize('ssim_weight', [0, 1])
def test_ignored_pixels_have_no_gradient(ssim_weight):
    masks = torch.rand(1, 8, 8)
    masks[:, :, 5:] = 255
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    build(ssim_weight=ssim_weight)(logits, masks, ignore_index=255).backward()
    assert (logits.grad[..., 5:] == 0).all() and (logits.grad[..., :5] != 0).any()


def test_a_decode_head_takes_it():
    head = MODELS.build(
        dict(
            type='sod_plugins.SAMNetHead',
            in_channels=(8, 12),
            upsampling='logits',
            loss_decode=dict(type='sod_plugins.BoundaryWeightedLoss'),
        )
    )
    losses = head.compare(torch.full((1, 1, 8, 8), 30.0), torch.ones(1, 8, 8))
    assert list(losses) == ['loss_boundary']
    assert losses['loss_boundary'].item() == pytest.approx(0, abs=1e-6)
