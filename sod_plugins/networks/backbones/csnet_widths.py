"""The channel counts of CSNet: the rules of the regular network, and learned widths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

DILATIONS = (1, 2, 4, 8, 16)
STAGE_MULTIPLIERS = (1, 2, 4, 4)
BASE_WIDTH = 20


def split_channels(channels: int, split_ratio: tuple[float, float]) -> tuple[int, ...]:
    """Split channels between the high and the low resolution by the ratio C_H / C_L (Sec. 4.4).

    A ratio of (1, 0) gives one scale; (0, 1) keeps two, of which the high one is empty.
    """
    high, low = split_ratio
    if min(high, low) < 0 or high + low == 0:
        raise ValueError(
            f'split_ratio needs two non-negative numbers, not both 0, got {split_ratio}.'
        )
    if low == 0:
        return (channels,)
    finest = round(channels * high / (high + low))
    return (finest, channels - finest)


def dilated_split(channels: int, branches: int = len(DILATIONS)) -> tuple[int, ...]:
    """Split the channels of a scale between its dilations, the remainder in the last (Tab. 1)."""
    share = channels // branches
    return (share,) * (branches - 1) + (channels - share * (branches - 1),)


def regular_block_widths(
    width: float,
    split_ratio: tuple[float, float],
    stage_blocks: Sequence[int],
    out_indices: Sequence[int],
) -> list[tuple[int, ...]]:
    """Return the output channels per scale of every block (Sec. 4.4, Tab. 2)."""
    widths = []
    for stage, blocks in enumerate(stage_blocks):
        channels = round(BASE_WIDTH * width) * STAGE_MULTIPLIERS[stage]
        split = split_channels(channels, split_ratio)
        merges = stage > 0 or stage in out_indices
        widths += [split] * (blocks - 1) + [(channels,) if merges else split]
    return widths


def regular_fuse_channels(in_channels: Sequence[int]) -> tuple[int, ...]:
    """Return the channels of each scale after the first gOctConv of the fusion.

    A third of the input channels, or a quarter for the full-resolution map of a four-stage fusion.
    This reduction reproduces the widths and parameter counts that the paper gives.
    """
    four_stages = len(in_channels) == len(STAGE_MULTIPLIERS)
    return tuple(c // (4 if four_stages and i == 0 else 3) for i, c in enumerate(in_channels))


def check_learned_widths(learned_widths: Mapping[str, Any], *, fusion: bool) -> None:
    """Check that a mapping has exactly the required entries.

    Raises:
        ValueError: An entry is missing or unexpected.
    """
    expected = {'blocks', 'fuse', 'dilated', 'merged'} if fusion else {'blocks'}
    if set(learned_widths) != expected:
        raise ValueError(
            f'learned_widths needs exactly the entries {sorted(expected)}, got '
            f'{sorted(learned_widths)}.'
        )
