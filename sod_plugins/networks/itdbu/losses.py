"""The loss of ITDBU: cross-entropy of every side output at its own resolution (Eq. 6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins._common.choices import require_choice
from sod_plugins.networks.itdbu.layers import SideOutput
from sod_plugins.networks.losses import check_masks
from sod_plugins.ops.resize import RESIZE_MODES, ResizeMode, resize


def deeper_supervision_loss(
    side_outputs: Sequence[SideOutput],
    mask: Tensor,
    last_step_only: bool = False,
    *,
    mask_resize: ResizeMode = 'area',
    ignore_value: float | None = None,
) -> Tensor:
    """Sum the binary cross-entropies of all side outputs, each averaged over its pixels (Eq. 6).

    No map is upsampled: the mask is resized to each level, once for all maps of the level.

    Args:
        side_outputs: All or some outputs of :meth:`ITDBU.side_outputs`.
        mask: The ground truth (N, 1, H, W) in [0, 1].
        last_step_only: Whether only the last step of every layer counts (Tab. 6).
        mask_resize: How to downsample the mask, a mode of :func:`sod_plugins.ops.resize`.
            ``'area'``, the salient fraction of a pixel, loses no thin object at 1/16 of the size;
            ``'nearest'`` keeps the mask binary, as in Eq. 6.
        ignore_value: Mask pixels with this value are ignored; with 'area', a downsampled pixel
            counts by its fraction of other pixels. None ignores none.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: There is no side output, the mask has the wrong shape or lies outside [0, 1], or
            the mode is unknown.
    """
    require_choice('mask_resize', mask_resize, RESIZE_MODES)
    if not side_outputs:
        raise ValueError('deeper_supervision_loss needs at least one side output.')
    check_masks(mask, len(side_outputs[0].logits), ignore_value)
    last = max(output.step for output in side_outputs)
    targets: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    losses = []
    for output in side_outputs:
        if last_step_only and output.step != last:
            continue
        size = output.logits.shape[-2], output.logits.shape[-1]
        if size not in targets:
            targets[size] = _reduce_mask(mask, size, mask_resize, ignore_value)
        target, weight = targets[size]
        losses.append(
            F.binary_cross_entropy_with_logits(
                output.logits.to(target.dtype), target, weight, reduction='sum'
            )
        )
    return torch.stack(losses).sum()


def _reduce_mask(
    mask: Tensor, size: tuple[int, int], mode: ResizeMode, ignore_value: float | None
) -> tuple[Tensor, Tensor]:
    """Resize the mask; return it and the weights of its pixels, which sum to 1."""
    counted = torch.ones_like(mask, dtype=torch.bool)
    if ignore_value is not None:
        counted = mask != ignore_value
    dtype = mask.dtype if mask.is_floating_point() else torch.float32
    weight = resize(counted.to(dtype), size, mode)
    target = resize((mask * counted).to(dtype), size, mode)
    tiny = torch.finfo(dtype).tiny
    return target / weight.clamp_min(tiny), weight / weight.sum().clamp_min(tiny)
