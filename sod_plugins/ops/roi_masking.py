"""RoIMasking: a feature map for each region, positive inside the region and negative around it.

Paper: Fan et al., "S4Net: Single Stage Salient-Instance Segmentation", CVPR 2019, Sec. 3.3.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sod_plugins._common.choices import require_choice

RoIMaskingMode = Literal['ternary', 'binary', 'expanded']
ROI_MASKING_MODES: tuple[RoIMaskingMode, ...] = get_args(RoIMaskingMode)
CHANNELS_AT_ONCE = 8


def roi_masking(
    features: Tensor,
    rois: Tensor,
    spatial_scale: float,
    mode: RoIMaskingMode = 'ternary',
    alpha: float = 1 / 3,
    *,
    quantized: bool = False,
    negative_slicing: bool = False,
) -> Tensor:
    """Multiply the features of each region's image by the region's mask.

    Besides the result, memory is needed only for the masks, one channel each, and in the backward
    pass for 8 channels of each region. No gradient flows to the regions.

    Args:
        features: Maps (N, C, H, W), floating point. If they are non-negative (after a ReLU), the
            surroundings of a region, which become negative, stay distinct from its inside.
        rois: Regions (K, 5): image index, x1, y1, x2, y2 in pixels of the input.
        spatial_scale: Cells per pixel: 1 / stride.
        mode: See :func:`roi_masks`.
        alpha: See :func:`roi_masks`.
        quantized: See :func:`roi_masks`.
        negative_slicing: See :func:`roi_masks`.

    Returns:
        Maps (K, C, H, W) in the dtype of the features.

    Raises:
        ValueError: A shape or an argument is invalid.
    """
    if features.dim() != 4:
        raise ValueError(f'features must be (N, C, H, W), got {tuple(features.shape)}.')
    masks = roi_masks(
        rois,
        (features.shape[2], features.shape[3]),
        spatial_scale,
        mode,
        alpha,
        quantized=quantized,
        negative_slicing=negative_slicing,
    )
    masks, images = masks.to(features.dtype), rois[:, 0].long()
    if features.requires_grad and torch.is_grad_enabled():
        return _Masked.apply(features, masks, images)  # type: ignore[no-untyped-call, no-any-return]
    return features.index_select(0, images).mul_(masks[:, None])


def check_masking(
    mode: RoIMaskingMode, alpha: float, quantized: bool, negative_slicing: bool
) -> None:
    """Check the arguments of :func:`roi_masks`.

    Raises:
        ValueError: An argument is invalid.
    """
    require_choice('mode', mode, ROI_MASKING_MODES)
    if not alpha >= 0:
        raise ValueError(f'alpha must be at least 0, got {alpha}.')
    if negative_slicing and not quantized:
        raise ValueError('negative_slicing is a fault of the quantized form: set quantized too.')


@torch.no_grad()
def roi_masks(
    rois: Tensor,
    size: tuple[int, int],
    spatial_scale: float,
    mode: RoIMaskingMode = 'ternary',
    alpha: float = 1 / 3,
    *,
    quantized: bool = False,
    negative_slicing: bool = False,
) -> Tensor:
    """Return the mask of each region on a map.

    A box of width w and height h is surrounded by the expanded box, which extends ``alpha * w``
    further on the left and right and ``alpha * h`` above and below. The mask is 1 inside the box;
    -1 (``'ternary'``), 0 (``'binary'``) or 1 (``'expanded'``) between the two boxes; and 0 outside.

    By default it is exact by area. Cell (i, j) covers the pixels [i s, (i + 1) s) of the rows and
    [j s, (j + 1) s) of the columns, with s = 1 / ``spatial_scale``, and gets the mean of the mask
    over its pixels. The ternary mask sums to (2 * area of the box - area of the expanded box) /
    s^2, with both areas clipped to the map. A box without area gives zeros.

    Args:
        rois: Regions (K, 5): image index, x1, y1, x2, y2 in pixels.
        size: Height and width of the map.
        spatial_scale: Cells per pixel.
        mode: ``'ternary'``, ``'binary'`` or ``'expanded'``.
        alpha: Width of the surroundings as a fraction of the box; the paper's best is 1/3.
        quantized: The released form, which rounds. A box has all cells from that of its corner
            (x1, y1) to that of (x2, y2), both inclusive, and the surroundings extend
            floor(alpha * cells) further. Here they are clipped to the map.
        negative_slicing: With ``quantized``, reproduces the released code at the upper and left
            border: a first row or column of -n counts from the other end of the map, so the
            surroundings are empty or elsewhere. Use it only for released weights.

    Returns:
        Masks (K, *size), float32.

    Raises:
        ValueError: The shape or an argument is invalid.
    """
    if rois.dim() != 2 or rois.shape[1] != 5:
        raise ValueError(f'rois must be (K, 5): index, x1, y1, x2, y2; got {tuple(rois.shape)}.')
    if spatial_scale <= 0:
        raise ValueError(f'spatial_scale must be positive, got {spatial_scale}.')
    check_masking(mode, alpha, quantized, negative_slicing)
    # Columns, then rows. Half-precision coordinates are off by up to a pixel, so compute in
    # float32.
    starts, ends = rois[:, 1:3].float() * spatial_scale, rois[:, 3:5].float() * spatial_scale
    if quantized:
        starts, ends = starts.floor(), ends.floor() + (ends >= starts)
    margins = (ends - starts).clamp(min=0) * alpha
    if quantized:
        margins = (margins + 1e-4).floor()  # so that a third of 3 cells is one despite rounding
    inside = _coverage(starts, ends, size, negative_slicing)
    if mode == 'binary':
        return inside
    empty = (ends <= starts).any(1)
    expanded = _coverage(starts - margins, ends + margins, size, negative_slicing)
    expanded = expanded.masked_fill_(empty[:, None, None], 0)
    if mode == 'expanded':
        return expanded
    if negative_slicing:
        return torch.where(inside > 0, inside, -expanded)
    return inside.mul_(2).sub_(expanded)


class _Masked(torch.autograd.Function):
    """Masks times features, with a gradient that needs memory for only a few channels at a time.

    Autograd's own would first multiply the whole incoming gradient, which is a second stack of
    maps.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, masks: Tensor, images: Tensor) -> Tensor:
        ctx.save_for_backward(masks, images)
        ctx.shape = features.shape
        return features.index_select(0, images).mul_(masks[:, None])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        masks, images = ctx.saved_tensors
        result = gradient.new_empty(ctx.shape)
        for some in range(0, ctx.shape[1], CHANNELS_AT_ONCE):
            channels = slice(some, some + CHANNELS_AT_ONCE)
            # index_add_ would take several times as long in place: with several images, these
            # channels of the result are not contiguous.
            sums = torch.zeros_like(result[:, channels], memory_format=torch.contiguous_format)
            sums.index_add_(0, images, gradient[:, channels] * masks[:, None])
            result[:, channels] = sums
        return result, None, None


def _coverage(starts: Tensor, ends: Tensor, size: tuple[int, int], wrap: bool) -> Tensor:
    """Return the fraction of each cell (K, H, W) that lies in boxes given in cells (K, 2)."""
    shares = []
    for axis, length in ((1, size[0]), (0, size[1])):
        start, end = starts[:, axis, None], ends[:, axis, None]
        if wrap:
            start = torch.where(start < 0, (start + length).clamp(min=0), start)
        cells = torch.arange(length, device=starts.device, dtype=starts.dtype)
        shares.append((end.minimum(cells + 1) - start.maximum(cells)).clamp(min=0))
    return shares[0][:, :, None] * shares[1][:, None, :]
