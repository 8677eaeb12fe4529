"""Stereoscopic attention: a softmax over branches, per channel and per pixel (SAMNet)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.amp import is_autocast_available
from torch.autograd.function import once_differentiable

from sod_plugins._common.choices import require_choice

Implementation = Literal['auto', 'fused', 'unrolled', 'reference']
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)


def branch_attention(
    branches: Sequence[Tensor],
    channel_logits: Tensor | None = None,
    spatial_logits: Tensor | None = None,
    implementation: Implementation = 'auto',
) -> Tensor:
    """Weight feature maps of equal shape by a softmax over them, and sum (Liu et al., TIP).

    With both kinds of logits, the weights are those of Eq. 13 of the SAMNet paper, the softmax over
    i of ``d_i * s_i``. With channel logits only they are Eq. 9, with spatial logits only Eq. 12,
    and with neither the result is the plain sum of Eq. 3.

    Args:
        branches: The B maps F_i, each (N, C, H, W).
        channel_logits: d, (N, B, C).
        spatial_logits: s, (N, B, H, W); or (N, 1, H, W), one map shared by all branches.
        implementation: ``'fused'`` processes the branches one by one and keeps one additional map
            for the backward pass (differentiable once). ``'unrolled'`` is for compilers and
            exporters, which turn it into one loop. ``'auto'`` is unrolled for these and fused
            otherwise. ``'reference'`` follows the formula and keeps three maps per branch.

    Returns:
        The sum of the weighted maps, (N, C, H, W).

    Raises:
        ValueError: Logits do not match the branches, a shared spatial map is given without channel
            logits (it would weight all branches equally), or the implementation is unknown.
    """
    require_choice('implementation', implementation, IMPLEMENTATIONS)
    _check(branches, channel_logits, spatial_logits)
    if spatial_logits is None:
        if channel_logits is None:
            return sum(branches[1:], branches[0])
        return _weigh(branches, channel_logits.softmax(1)[..., None, None])
    if channel_logits is None:
        return _weigh(branches, spatial_logits.softmax(1)[:, :, None])
    if implementation == 'auto':
        implementation = 'unrolled' if torch.compiler.is_compiling() else 'fused'
    if implementation == 'unrolled':
        return _weigh_unrolled(branches, channel_logits, spatial_logits)
    if implementation == 'reference':
        return _weigh_by_both(branches, channel_logits, spatial_logits)
    fused: Tensor = _Stereoscopic.apply(channel_logits, spatial_logits, *branches)  # type: ignore[no-untyped-call]
    return fused


def _check(branches: Sequence[Tensor], channel: Tensor | None, spatial: Tensor | None) -> None:
    """Reject logits that would broadcast to anything but attention over the branches."""
    count = len(branches)
    n, c, h, w = branches[0].shape
    if channel is not None and channel.shape != (n, count, c):
        raise ValueError(
            f'channel_logits must have shape {(n, count, c)} for {count} branches of shape '
            f'{(n, c, h, w)}, got {tuple(channel.shape)}.'
        )
    if spatial is None:
        return
    if spatial.shape not in ((n, count, h, w), (n, 1, h, w)):
        raise ValueError(
            f'spatial_logits must have shape {(n, count, h, w)}, or {(n, 1, h, w)} if shared, got '
            f'{tuple(spatial.shape)}.'
        )
    if channel is None and spatial.shape[1] != count:
        raise ValueError(
            'One spatial map shared by all branches weighs them alike: give one map per branch, or '
            'channel_logits too.'
        )


def _weigh(branches: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Sum the branches by weights (N, B, C or 1, H or 1, W or 1)."""
    products = [f * w for f, w in zip(branches, weights.unbind(1), strict=True)]
    return sum(products[1:], products[0])


def _weigh_by_both(branches: Sequence[Tensor], channel: Tensor, spatial: Tensor) -> Tensor:
    """Eq. 13, literally."""
    weights = (channel[..., None, None] * spatial[:, :, None]).softmax(1)
    return (torch.stack(tuple(branches), 1) * weights).sum(1)


def _weigh_unrolled(branches: Sequence[Tensor], channel: Tensor, spatial: Tensor) -> Tensor:
    """Eq. 13 on four-dimensional maps, with logits relative to the first branch's.

    The order of the operations matters to OpenVINO: it fuses all of them only in this one.
    """
    if len(branches) == 1:  # there is no other branch
        return _weigh_by_both(branches, channel, spatial)
    if spatial.shape[1] == 1:
        relative = (channel[:, 1:] - channel[:, :1]).flatten(1)[..., None, None]
        logits = [d_i * spatial for d_i in relative.chunk(len(branches) - 1, 1)]
    else:
        d, s = channel[..., None, None].unbind(1), spatial[:, :, None].unbind(1)
        logits = [d_i * s_i - d[0] * s[0] for d_i, s_i in zip(d[1:], s[1:], strict=True)]
    maximum = logits[0].relu()
    for logit in logits[1:]:
        maximum = torch.maximum(maximum, logit)
    weights = [maximum.neg().exp(), *((logit - maximum).exp() for logit in logits)]
    factor = sum(weights[1:], weights[0]).reciprocal()
    products = [w * f for w, f in zip(weights, branches, strict=True)]
    return factor * sum(products[1:], products[0])


class _Stereoscopic(torch.autograd.Function):
    """Eq. 13 and 14 branch by branch; the backward pass recomputes the weights.

    It keeps the branches and the result, which neighbouring layers keep anyway, the small logits,
    and the denominator of the softmax. Half precision is accumulated in float32.
    """

    @staticmethod
    def forward(ctx: Any, channel: Tensor, spatial: Tensor, *branches: Tensor) -> Tensor:
        dtype = branches[0].dtype
        device = branches[0].device.type
        autocast = is_autocast_available(device)
        with torch.autocast(device, enabled=False) if autocast else nullcontext():
            d, s = _small_logits(channel, spatial, dtype)
            shift = _negative_maximum(d, s, branches[0])
            denominator = total = torch.empty(())
            for i, branch in enumerate(branches):
                weight = _weight(d[i], s[i], shift)
                if i:
                    total.addcmul_(weight, branch)
                    denominator.add_(weight)
                else:
                    total = weight * branch
                    denominator = weight
            out = total.div_(denominator).to(dtype)
        ctx.save_for_backward(channel, spatial, denominator, out, *branches)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, ...]:
        channel, spatial, denominator, out, *branches = ctx.saved_tensors
        d, s = _small_logits(channel, spatial, out.dtype)
        shift = _negative_maximum(d, s, out)
        grad = grad / denominator
        of_branches, of_channel, of_spatial = [], [], []
        for branch, d_i, s_i in zip(branches, d, s, strict=True):
            of_branch = _weight(d_i, s_i, shift).mul_(grad)
            of_logits = torch.sub(branch, out).mul_(of_branch)
            of_branches.append(of_branch.to(branch.dtype))
            of_spatial.append(of_logits * d_i)
            of_channel.append(of_logits.mul_(s_i).sum((2, 3)))
            if spatial.shape[1] == 1 and len(of_spatial) == 2:
                of_spatial = [of_spatial[0].add_(of_spatial[1])]
        return (
            torch.stack(of_channel, 1).to(channel.dtype),
            torch.stack([x.sum(1) * math.log(2) for x in of_spatial], 1).to(spatial.dtype),
            *of_branches,
        )


def _small_logits(
    channel: Tensor, spatial: Tensor, dtype: torch.dtype
) -> tuple[list[Tensor], list[Tensor]]:
    """Return d_i / ln 2 (N, C, 1, 1) and s_i (N, 1, H, W) of all branches, in at least float32.

    Powers of e then become powers of 2, which torch computes three times as fast on a CPU.
    """
    precise = torch.promote_types(dtype, torch.float32)
    d = list((channel.to(precise) / math.log(2))[..., None, None].unbind(1))
    s = list(spatial.to(precise)[:, :, None].unbind(1))
    return d, s * (len(d) // len(s))


def _weight(d: Tensor, s: Tensor, shift: Tensor) -> Tensor:
    """Return the numerator of the softmax of one branch, at most 1.

    The product is rounded, as the shift was: with a fused multiply-add, large logits would leave a
    difference whose power overflows. d and s alone would not determine the memory format.
    """
    return torch.mul(d, s, out=torch.empty_like(shift)).add_(shift).exp2_()


def _negative_maximum(d: list[Tensor], s: list[Tensor], like: Tensor) -> Tensor:
    """Return -max over i of d_i * s_i, (N, C, H, W), in the memory format of ``like``."""
    if all(s_i is s[0] for s_i in s):  # then the largest or the smallest d decides
        stacked = torch.stack(d)
        d, s = [stacked.amax(0), stacked.amin(0)], [s[0], s[0]]
    maximum = torch.mul(d[0], s[0], out=torch.empty_like(like, dtype=d[0].dtype))
    for d_i, s_i in zip(d[1:], s[1:], strict=True):
        torch.maximum(maximum, d_i * s_i, out=maximum)
    return maximum.neg_()
