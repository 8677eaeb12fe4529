"""Channel shuffle between the groups of grouped convolutions."""

from __future__ import annotations

from torch import Tensor


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of equal groups (Zhang et al., CVPR 2018, Sec. 3.1).

    Args:
        x: Map (N, C, H, W) whose channels form ``groups`` blocks of C / groups.
        groups: Number of blocks; it must divide C.

    Returns:
        Map of the same shape: channel ``k * groups + g`` is channel ``k`` of block ``g``.

    Raises:
        ValueError: ``groups`` does not divide C.
    """
    channels = x.shape[1]
    if channels % groups:
        raise ValueError(f'channel_shuffle cannot split {channels} channels into {groups} groups.')
    batch, _, *size = x.shape
    return x.view(batch, groups, channels // groups, *size).transpose(1, 2).flatten(1, 2)
