"""The loss of ITDBU: cross-entropy of every side output at its own resolution (Eq. 6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.networks.itdbu.decoder import SideOutput
from sod_plugins.ops.resize import RESIZE_MODES, resize


def deeper_supervision_loss(
    side_outputs: Sequence[SideOutput],
    mask: Tensor,
    last_step_only: bool = False,
    *,
    mask_resize: str = 'area',
    ignore_value: float = 255,
) -> Tensor:
    """Sum the binary cross-entropies of all side outputs, each averaged over its pixels (Eq. 6).

    No map is up-sampled: the mask is resized to each level's size, once for all maps of the level.

    Args:
        side_outputs: What the network returns in training.
        mask: The ground truth (N, 1, H, W) in [0, 1].
        last_step_only: Whether only the last step of every layer counts (Tab. 6).
        mask_resize: How the mask is reduced, a mode of :func:`sod_plugins.ops.resize`. ``'area'``,
            the share of a pixel that is salient, loses no thin object at 1/16 of the size;
            ``'nearest'`` keeps the mask binary, as Eq. 6 writes it.
        ignore_value: Pixels of the mask with this value do not count; a reduced pixel counts by the
            share that does, with 'area'.

    Returns:
        The loss, a scalar.

    Raises:
        ValueError: If there is no side output, the mask does not fit, or the mode is unknown.
    """
    if mask_resize not in RESIZE_MODES:
        raise ValueError(f'mask_resize must be one of {sorted(RESIZE_MODES)}, got {mask_resize!r}.')
    if not side_outputs:
        raise ValueError('deeper_supervision_loss needs at least one side output.')
    batch = side_outputs[0].logits.shape[0]
    if mask.dim() != 4 or mask.shape[:2] != (batch, 1):
        raise ValueError(f'The mask must be ({batch}, 1, H, W), got {tuple(mask.shape)}.')
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
    mask: Tensor, size: tuple[int, int], mode: str, ignore_value: float
) -> tuple[Tensor, Tensor]:
    """Resize the mask; return it and the weights of its pixels, whose sum is 1."""
    counted = mask != ignore_value
    dtype = mask.dtype if mask.is_floating_point() else torch.float32
    weight = resize(counted.to(dtype), size, mode)
    target = resize((mask * counted).to(dtype), size, mode)
    tiny = torch.finfo(dtype).tiny
    return target / weight.clamp_min(tiny), weight / weight.sum().clamp_min(tiny)
