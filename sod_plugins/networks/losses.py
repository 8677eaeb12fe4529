"""Losses that several networks share."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def boundary_weights(masks: Tensor, window: int = 31, strength: float = 5.0) -> Tensor:
    """Weigh pixels by how much their surroundings differ from them: 1 + strength |mean - mask|.

    The weights of F3Net (Wei et al., AAAI 2020). The mean over a large window is smooth, so it is
    taken at half the size, rows first and columns then, which costs a fiftieth of the plain window.
    Pixels outside do not count.

    Args:
        masks: Saliency in [0, 1], (N, 1, H, W).
        window: Side of the window in pixels, odd.
        strength: Weight of a pixel all of whose neighbours are unlike it, less 1.

    Returns:
        Weights from 1 to 1 + strength, (N, 1, H, W).
    """
    half = F.avg_pool2d(masks, 2, ceil_mode=True, count_include_pad=False)
    side = window // 4 * 2 + 1  # half of it, made odd
    for kernel in ((side, 1), (1, side)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        half = F.avg_pool2d(half, kernel, 1, padding, count_include_pad=False)
    mean = F.interpolate(half, size=masks.shape[-2:], mode='bilinear', align_corners=False)
    return 1 + strength * (mean - masks).abs()


def weighted_bce(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Return the binary cross-entropy of each image, a mean by the pixels' weights, averaged.

    Args:
        logits: (N, 1, H, W).
        masks: Saliency in [0, 1] of that shape; soft edges stay soft.
        weights: 0 or larger, of that shape; 0 leaves a pixel out.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction='none')
    return _mean_of_images(entropy * weights, weights)


def weighted_iou(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - intersection over union of each image, by the pixels' weights, averaged.

    Intersection and union are sums of products; one pixel of weight 1 is added to both, so that an
    empty mask has a loss. Arguments as in :func:`weighted_bce`.
    """
    saliency = logits.sigmoid()
    product = saliency * masks
    both = (product * weights).sum((1, 2, 3))
    any_ = ((saliency + masks - product) * weights).sum((1, 2, 3))
    return (1 - (both + 1) / (any_ + 1)).mean()


def _mean_of_images(values: Tensor, weights: Tensor) -> Tensor:
    tiny = torch.finfo(values.dtype).tiny
    return (values.sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp_min(tiny)).mean()
