"""Losses that several networks share, and the check of the masks that they take."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.ops.resize import resize_bilinear

TOLERANCE = 1e-3  # a resized mask may exceed 1 by its rounding


def check_masks(masks: Tensor, batch: int, ignore_value: float | None = None) -> None:
    """Refuse masks that do not fit the batch or lie outside [0, 1].

    Args:
        masks: What is compared with the logits of a batch.
        batch: Images of the batch.
        ignore_value: Value of pixels that do not count, which may be any.

    Raises:
        ValueError: If they are not (batch, 1, H, W) or some pixel that counts is not in [0, 1].
    """
    if masks.dim() != 4 or tuple(masks.shape[:2]) != (batch, 1):
        raise ValueError(f'The masks must be ({batch}, 1, H, W), got {tuple(masks.shape)}.')
    if torch.compiler.is_compiling() or not masks.numel():  # when compiling, no value is known
        return
    values = masks if ignore_value is None else masks.masked_fill(masks == ignore_value, 0)
    low, high = values.aminmax()
    if not ((low >= -TOLERANCE) & (high <= 1 + TOLERANCE)):  # so written, NaN is refused too
        raise ValueError(
            f'The masks must lie in [0, 1], got values from {low:g} to {high:g}: divide masks of '
            '8 bits by 255, and name the value of pixels that do not count by ignore_value.'
        )


def binary_cross_entropy(
    logits: Tensor, masks: Tensor, ignore_value: float | None = None
) -> Tensor:
    """Average the binary cross-entropy over the pixels that count.

    Args:
        logits: (N, 1, H, W); half precision is compared in float32.
        masks: (N, 1, H, W) in [0, 1].
        ignore_value: Pixels of the masks with this value do not count; None lets all count.

    Returns:
        A scalar; 0 with a gradient of 0 where no pixel counts.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)
    logits, masks = logits.to(dtype), masks.to(dtype)
    if ignore_value is None:
        return F.binary_cross_entropy_with_logits(logits, masks)
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction='none')
    return mean_of_counted(entropy, (masks != ignore_value).to(dtype))


def check_labels(
    labels: Tensor, batch: int, num_classes: int, ignore_value: float | None = None
) -> None:
    """Refuse labels that do not fit the batch or name a class that is not there.

    Args:
        labels: What is compared with the scores of a batch.
        batch: Images of the batch.
        num_classes: Classes of the scores.
        ignore_value: Label of pixels that do not count.

    Raises:
        ValueError: If they are not (batch, 1, H, W) or some label that counts is not a class.
    """
    if labels.dim() != 4 or tuple(labels.shape[:2]) != (batch, 1):
        raise ValueError(f'The labels must be ({batch}, 1, H, W), got {tuple(labels.shape)}.')
    if torch.compiler.is_compiling() or not labels.numel():
        return
    values = labels if ignore_value is None else labels.masked_fill(labels == ignore_value, 0)
    low, high = values.aminmax()
    if (low < 0) | (high >= num_classes):
        raise ValueError(
            f'The labels must lie between 0 and {num_classes - 1}, got values from {low:g} to '
            f'{high:g}: give the number of classes, and name the label of pixels that do not count '
            'by ignore_value.'
        )


def cross_entropy(scores: Tensor, labels: Tensor, ignore_value: float | None = None) -> Tensor:
    """Average the cross-entropy over the pixels that count, at the size of the labels.

    Args:
        scores: (N, num_classes, h, w), resized bilinearly; half precision is compared in float32.
        labels: (N, 1, H, W), classes from 0 on.
        ignore_value: Pixels with this label do not count; None lets all count.

    Returns:
        A scalar; 0 with a gradient of 0 where no pixel counts.
    """
    size = (labels.shape[-2], labels.shape[-1])
    if scores.shape[-2:] != size:
        scores = resize_bilinear(scores, size)
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    ignored = -100 if ignore_value is None else int(ignore_value)
    labels = labels.squeeze(1).long()
    entropy = F.cross_entropy(scores, labels, ignore_index=ignored, reduction='none')
    return entropy.sum() / (labels != ignored).sum().clamp_min(1)


def mean_of_counted(values: Tensor, counted: Tensor) -> Tensor:
    """Average the values where ``counted``, of their shape, is 1 and not 0; 0 if it never is."""
    return (values * counted).sum() / counted.sum().clamp_min(1)


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
