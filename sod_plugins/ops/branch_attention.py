"""Stereoscopic attention: a softmax over branches, per channel and per pixel (SAMNet)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def branch_attention(
    branches: Sequence[Tensor],
    channel_logits: Tensor | None = None,
    spatial_logits: Tensor | None = None,
) -> Tensor:
    """Weigh feature maps of equal shape by a softmax over them, and sum (Liu et al., TIP).

    With both kinds of logits the weights are Eq. 13 of the SAMNet paper, softmax over i of
    ``d_i * s_i``; with the channel's alone Eq. 9, with the spatial ones alone Eq. 12; with none the
    plain sum of Eq. 3.

    Args:
        branches: The B maps F_i, each (N, C, H, W).
        channel_logits: d, (N, B, C).
        spatial_logits: s, (N, B, H, W); or (N, 1, H, W), one map shared by all branches.

    Returns:
        The sum of the weighted maps, (N, C, H, W).

    Raises:
        ValueError: If logits do not fit the branches, or one shared spatial map is all there is,
            which would weigh all branches alike.
    """
    if channel_logits is None and spatial_logits is None:
        return torch.stack(tuple(branches)).sum(0)
    _check(branches, channel_logits, spatial_logits)
    logits = torch.ones((), device=branches[0].device, dtype=branches[0].dtype)
    if channel_logits is not None:
        logits = logits * channel_logits[..., None, None]
    if spatial_logits is not None:
        logits = logits * spatial_logits[:, :, None]
    weights = logits.softmax(1)
    return (torch.stack(tuple(branches), 1) * weights).sum(1)


def _check(branches: Sequence[Tensor], channel: Tensor | None, spatial: Tensor | None) -> None:
    """Refuse logits that would broadcast to something else than attention over the branches."""
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
