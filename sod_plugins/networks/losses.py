"""Losses shared by several networks, and checks of their targets."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.ops.resize import resize_bilinear

TOLERANCE = 1e-3  # a resized mask may exceed 1 by its rounding


def check_masks(masks: Tensor, batch: int, ignore_value: float | None = None) -> None:
    """Check that masks match the batch and lie in [0, 1].

    Args:
        masks: The masks to be compared with the logits of a batch.
        batch: Number of images in the batch.
        ignore_value: Value of ignored pixels, which may be any number.

    Raises:
        ValueError: They are not (batch, 1, H, W), or a pixel that is not ignored is outside [0, 1].
    """
    if masks.dim() != 4 or tuple(masks.shape[:2]) != (batch, 1):
        raise ValueError(f'The masks must be ({batch}, 1, H, W), got {tuple(masks.shape)}.')
    if torch.compiler.is_compiling() or not masks.numel():  # values are unknown when compiling
        return
    values = masks if ignore_value is None else masks.masked_fill(masks == ignore_value, 0)
    low, high = values.aminmax()
    if not ((low >= -TOLERANCE) & (high <= 1 + TOLERANCE)):  # written this way, NaN is rejected too
        raise ValueError(
            f'The masks must lie in [0, 1], got values from {low:g} to {high:g}: divide masks of '
            '8 bits by 255, and name the value of pixels that do not count by ignore_value.'
        )


def binary_cross_entropy(
    logits: Tensor, masks: Tensor, ignore_value: float | None = None
) -> Tensor:
    """Return the binary cross-entropy, averaged over the pixels that are not ignored.

    Args:
        logits: (N, 1, H, W); half precision is compared in float32.
        masks: (N, 1, H, W) in [0, 1].
        ignore_value: Mask pixels with this value are ignored; None ignores none.

    Returns:
        A scalar; a differentiable 0 if all pixels are ignored.
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
    """Check that labels match the batch and are valid classes.

    Args:
        labels: The labels to be compared with the scores of a batch.
        batch: Number of images in the batch.
        num_classes: Number of classes.
        ignore_value: Label of ignored pixels.

    Raises:
        ValueError: They are not (batch, 1, H, W), or a label that is not ignored is not a class.
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
    """Return the cross-entropy at the size of the labels, averaged over the counted pixels.

    Args:
        scores: (N, num_classes, h, w), resized bilinearly; half precision is compared in float32.
        labels: (N, 1, H, W), class indices from 0.
        ignore_value: Pixels with this label are ignored; None ignores none.

    Returns:
        A scalar; a differentiable 0 if all pixels are ignored.
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
    """Average the values where ``counted``, of the same shape, is 1; 0 if it never is."""
    return (values * counted).sum() / counted.sum().clamp_min(1)


def boundary_weights(masks: Tensor, window: int = 31, strength: float = 5.0) -> Tensor:
    """Weight pixels by how much they differ from their surroundings: 1 + strength |mean - mask|.

    These are the weights of F3Net (Wei et al., AAAI 2020). The mean over a large window is smooth,
    so it is computed at half the size, first over rows and then over columns. This costs a fiftieth
    of the plain window. Pixels outside the image are ignored.

    Args:
        masks: Saliency in [0, 1], (N, 1, H, W).
        window: Side of the window in pixels, odd.
        strength: Additional weight of a pixel whose neighbours are all different.

    Returns:
        Weights from 1 to 1 + strength, (N, 1, H, W).
    """
    half = F.avg_pool2d(masks, 2, ceil_mode=True, count_include_pad=False)
    side = window // 4 * 2 + 1  # half of it, rounded to an odd number
    for kernel in ((side, 1), (1, side)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        half = F.avg_pool2d(half, kernel, 1, padding, count_include_pad=False)
    mean = F.interpolate(half, size=masks.shape[-2:], mode='bilinear', align_corners=False)
    return 1 + strength * (mean - masks).abs()


def weighted_bce(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Return the binary cross-entropy of each image, weighted by pixel, averaged over the images.

    Args:
        logits: (N, 1, H, W).
        masks: Saliency in [0, 1], of the same shape; soft edges stay soft.
        weights: 0 or larger, of the same shape; 0 ignores a pixel.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, masks, reduction='none')
    return _mean_of_images(entropy * weights, weights)


def weighted_iou(logits: Tensor, masks: Tensor, weights: Tensor) -> Tensor:
    """Return 1 - IoU of each image, weighted by pixel, averaged over the images.

    Intersection and union are sums of products. One pixel of weight 1 is added to both, so that an
    empty mask has a loss. The arguments are those of :func:`weighted_bce`.
    """
    saliency = logits.sigmoid()
    product = saliency * masks
    both = (product * weights).sum((1, 2, 3))
    any_ = ((saliency + masks - product) * weights).sum((1, 2, 3))
    return (1 - (both + 1) / (any_ + 1)).mean()


def ssim_loss(logits: Tensor, masks: Tensor, counts: Tensor, sigma: float = 1.5) -> Tensor:
    """Return 1 - SSIM, averaged over the pixels that count: that of BASNet (Qin et al., CVPR 2019).

    Structural similarity (Wang et al., 2004, with the constants .01 and .03) compares means,
    variances and covariance in a Gaussian window around each pixel. In contrast to cross-entropy it
    costs as much for a faint error next to a boundary as for a strong one.

    Args:
        logits: (N, 1, H, W) in float32 or float64.
        masks: Saliency in [0, 1], of the same shape.
        counts: 0 for ignored pixels, which are black in every window, otherwise 1; of that shape.
        sigma: Standard deviation of the window in pixels; its radius is 3.5 of it, rounded down.
    """
    saliency, masks = logits.sigmoid() * counts, masks * counts
    rows, columns = (_blur_matrix(masks, dim, sigma) for dim in (-2, -1))

    def blur(maps: Tensor) -> Tensor:
        with torch.autocast(maps.device.type, enabled=False):  # its squares would be too coarse
            return rows @ (maps @ columns.mT)

    mean_s, mean_m = blur(saliency), blur(masks)
    luminance = (2 * mean_s * mean_m + 1e-4) / (mean_s**2 + mean_m**2 + 1e-4)
    covariance = blur(saliency * masks) - mean_s * mean_m
    variances = blur(saliency**2) - mean_s**2 + blur(masks**2) - mean_m**2
    structure = (2 * covariance + 9e-4) / (variances + 9e-4)
    return mean_of_counted(1 - luminance * structure, counts)


def _blur_matrix(maps: Tensor, dim: int, sigma: float) -> Tensor:
    """Return the square matrix that blurs one axis; by product it is twice as fast as convolution.

    Pixels outside the map are those of its border, so that windows there are not darker.
    """
    size, radius = maps.shape[dim], int(3.5 * sigma)
    offsets = torch.arange(-radius, radius + 1, device=maps.device)
    window = torch.softmax(-(offsets.to(maps.dtype) ** 2) / (2 * sigma**2), 0)
    pixels = torch.arange(size, device=maps.device)
    sources = (pixels[:, None] + offsets).clamp(0, size - 1)
    return ((sources[..., None] == pixels) * window[:, None]).sum(1)


def _mean_of_images(values: Tensor, weights: Tensor) -> Tensor:
    tiny = torch.finfo(values.dtype).tiny
    return (values.sum((1, 2, 3)) / weights.sum((1, 2, 3)).clamp_min(tiny)).mean()
