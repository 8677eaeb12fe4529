from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter

from sod_plugins.networks.losses import boundary_weights, ssim_loss, weighted_bce, weighted_iou


def test_weights_are_close_to_those_of_the_full_window():
    masks = torch.zeros(2, 1, 96, 128, dtype=torch.float64)
    masks[0, :, 30:70, 40:90] = 1
    masks[1, :, 10:20, :] = 0.5
    mean = F.avg_pool2d(masks, 31, 1, 15, count_include_pad=False)
    exact = 1 + 5 * (mean - masks).abs()
    weights = boundary_weights(masks)
    assert (weights - exact).abs().max() < 0.2  # of up to 3.5
    assert (weights - exact).abs().mean() < 0.02


def test_weights_of_a_uniform_mask_are_one_up_to_its_border():
    for value in (0.0, 1.0):
        weights = boundary_weights(torch.full((1, 1, 33, 47), value))  # odd sides too
        torch.testing.assert_close(weights, torch.ones(1, 1, 33, 47))


def test_cross_entropy_is_a_weighted_mean_of_each_image():
    logits = torch.tensor([[0.0, 2.0], [-1.0, 3.0]]).view(2, 1, 1, 2)
    masks = torch.tensor([[1.0, 0.0], [0.5, 1.0]]).view(2, 1, 1, 2)
    weights = torch.tensor([[1.0, 3.0], [0.0, 2.0]]).view(2, 1, 1, 2)
    first = (math.log(2) + 3 * math.log1p(math.exp(2))) / 4
    second = math.log1p(math.exp(-3))
    assert weighted_bce(logits, masks, weights).item() == pytest.approx((first + second) / 2)


def test_iou_is_that_of_weighted_sums():
    logits = torch.logit(torch.tensor([0.25, 0.5, 0.75])).view(1, 1, 1, 3)
    masks = torch.tensor([1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    weights = torch.tensor([1.0, 2.0, 4.0]).view(1, 1, 1, 3)
    both, union = 0.25 + 4 * 0.75, 1 + 2 * 0.5 + 4
    expected = 1 - (both + 1) / (union + 1)
    assert weighted_iou(logits, masks, weights).item() == pytest.approx(expected)


def test_losses_vanish_with_certainty_and_pass_gradients_that_reduce_them():
    masks = torch.zeros(1, 1, 16, 16)
    masks[..., 4:9, 5:12] = 1
    weights = boundary_weights(masks)
    sure = 40 * (2 * masks - 1)
    assert weighted_bce(sure, masks, weights) < 1e-6
    assert weighted_iou(sure, masks, weights) < 1e-6
    logits = torch.zeros_like(masks, requires_grad=True)
    loss = weighted_bce(logits, masks, weights) + weighted_iou(logits, masks, weights)
    loss.backward()
    assert (logits.grad[masks == 1] < 0).all() and (logits.grad[masks == 0] > 0).all()


def test_pixels_of_weight_zero_do_not_count():
    torch.manual_seed(0)
    logits, masks = torch.randn(1, 1, 4, 4), torch.rand(1, 1, 4, 4)
    weights = torch.ones(1, 1, 4, 4)
    weights[..., 2:] = 0
    for loss in (weighted_bce, weighted_iou):
        cut = loss(logits[..., :2], masks[..., :2], weights[..., :2])
        torch.testing.assert_close(loss(logits, masks, weights), cut)
    assert weighted_bce(logits, masks, torch.zeros(1, 1, 4, 4)) == 0


def test_structural_similarity_is_that_of_gaussian_windows():
    rng = np.random.default_rng(0)
    saliency, masks = rng.random((2, 2, 20, 31))
    counts = np.ones_like(masks)
    counts[0, :6] = 0
    means = []
    for s, m in zip(saliency * counts, masks * counts, strict=True):
        blurred = [gaussian_filter(x, 1.5, truncate=3.5, mode='nearest') for x in (s, m)]
        luminance = (2 * np.prod(blurred, 0) + 1e-4) / (np.square(blurred).sum(0) + 1e-4)
        ss, mm, sm = (
            gaussian_filter(x * y, 1.5, truncate=3.5, mode='nearest') - a * b
            for x, y, a, b in (
                (s, s, blurred[0], blurred[0]),
                (m, m, blurred[1], blurred[1]),
                (s, m, *blurred),
            )
        )
        means.append(luminance * (2 * sm + 9e-4) / (ss + mm + 9e-4))
    expected = 1 - np.stack(means)[counts == 1].mean()
    saliency, masks, counts = (torch.from_numpy(x)[:, None] for x in (saliency, masks, counts))
    logits = saliency.logit()
    assert ssim_loss(logits, masks, counts).item() == pytest.approx(expected, rel=1e-9)
    with torch.autocast('cpu', torch.bfloat16):
        loss = ssim_loss(logits.float(), masks.float(), counts.float())
    assert loss.item() == pytest.approx(expected, rel=1e-5)  # as in float32


def test_structural_similarity_vanishes_with_certainty_and_passes_gradients():
    masks = torch.zeros(1, 1, 16, 16)
    masks[..., 4:9, 5:12] = 1
    counts = torch.ones_like(masks)
    counts[..., 12:] = 0
    assert ssim_loss(40 * (2 * masks - 1), masks, counts) < 1e-6
    logits = torch.zeros_like(masks, requires_grad=True)
    ssim_loss(logits, masks, counts).backward()
    inside = logits.grad[..., 5:8, 6:11]
    assert (inside < 0).all() and (logits.grad[counts == 0] == 0).all()
    assert ssim_loss(logits, masks, torch.zeros_like(counts)) == 0
