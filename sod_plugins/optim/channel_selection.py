"""Select the channels of a CSNet to keep: groups, scoring rules, selection by threshold or ratio.

Paper: CSNet, Sec. 3.2 (Alg. 1) and the ablations of Tab. 9 and 10.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.goctconv import GOctConvNormAct, ILBlock, ParallelDilatedConv
from sod_plugins.networks import CSFDecoder, CSNet

# Per group and scale: a bool tensor (C,), True for a channel to keep.
Masks = list[list[Tensor]]


@dataclass(frozen=True)
class ChannelGroup:
    """The channels after a gOctConv, by scale, which one group of masks prunes together.

    Attributes:
        name: Name of the layer in the network.
        gammas: Normalisation weights (C_s,) of each scale; empty for an empty scale.
        filters: Filters of the convolution for each scale, (C_s, columns).
    """

    name: str
    gammas: tuple[Tensor, ...]
    filters: tuple[Tensor, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each scale."""
        return tuple(len(gamma) for gamma in self.gammas)


def gamma_scores(group: ChannelGroup) -> list[Tensor]:
    """Score a channel by its normalisation weight, as the paper does: abs(gamma)."""
    return [gamma.abs() for gamma in group.gammas]


def filter_scores(group: ChannelGroup) -> list[Tensor]:
    """Score a channel by the L1 norm of its filter ("Pruning Filters" of Tab. 9)."""
    return [filters.abs().sum(1) for filters in group.filters]


def geometric_median_scores(group: ChannelGroup) -> list[Tensor]:
    """Score a channel by the summed distance from its filter to the others of its scale.

    The filter nearest to the geometric median adds least to the others ("Geometric Median" of
    Tab. 9).
    """
    return [torch.cdist(filters, filters).sum(1) for filters in group.filters]


Rule = Literal['gamma', 'filters', 'geometric_median']
RULES: dict[Rule, Callable[[ChannelGroup], list[Tensor]]] = {
    'gamma': gamma_scores,
    'filters': filter_scores,
    'geometric_median': geometric_median_scores,
}


def channel_groups(network: CSNet) -> list[ChannelGroup]:
    """List the channel groups that are pruned together, in network order.

    The first gOctConv of every ILBlock decides for its block, because the two depthwise layers
    keep every channel separate. The first gOctConv of the fusion, the dilated convolutions of each
    scale and the merging gOctConv follow.
    """
    groups = [_octave_group(f'{name}.conv1', block.conv1) for name, block in il_blocks(network)]
    head = network.decode_head
    if isinstance(head, CSFDecoder):
        groups += [
            _octave_group('decode_head.fuse', head.fuse),
            _dilated_group('decode_head.dilated', head),
            _octave_group('decode_head.merge', head.merge),
        ]
    return groups


def il_blocks(network: CSNet) -> list[tuple[str, ILBlock]]:
    """List the ILBlocks of a network with their names, in order."""
    modules = network.named_modules()
    return [(name, module) for name, module in modules if isinstance(module, ILBlock)]


def _octave_group(name: str, layer: GOctConvNormAct) -> ChannelGroup:
    weight = layer.conv.weight.detach()
    filters = torch.split(weight.flatten(1), list(layer.conv.out_channels))
    return ChannelGroup(name, tuple(_gamma(norm, weight) for norm in layer.norms), tuple(filters))


def _dilated_group(name: str, head: CSFDecoder) -> ChannelGroup:
    like = head.classifier.weight.detach()
    gammas, filters = [], []
    for layer in head.dilated:
        if isinstance(layer, ParallelDilatedConv):
            weights = [conv.get_parameter('weight').detach() for conv in layer.convs.values()]
            gammas.append(_gamma(layer.norm, like))
            filters.append(torch.cat([weight.flatten(1) for weight in weights]))
        else:
            gammas.append(like.new_empty(0))
            filters.append(like.new_empty(0, 0))
    return ChannelGroup(name, tuple(gammas), tuple(filters))


def _gamma(norm: nn.Module, like: Tensor) -> Tensor:
    return norm.weight.detach() if isinstance(norm, nn.BatchNorm2d) else like.new_empty(0)


def select_channels(
    network: CSNet,
    *,
    threshold: float | None = None,
    ratio: float | None = None,
    rule: Rule = 'gamma',
    at_least: int = 0,
) -> Masks:
    """Choose the channels to keep.

    Args:
        network: A CSNet.
        threshold: Keep the channels whose score is at least this (as in the paper, with 1e-20).
        ratio: Keep this fraction of the *parameters*: the same fraction of channels in every layer
            and scale, at least one, dropping the lowest scores first. The fraction of channels is
            chosen so that the network comes nearest to ``ratio``; counts are integers, so the
            ratio is met to about 1%.
        rule: The scoring rule, one of ``RULES``.
        at_least: Number of highest-scoring channels that a layer keeps if a threshold would leave
            fewer. With the default 0, emptying a layer is an error.

    Returns:
        One list of masks per group of :func:`channel_groups`.

    Raises:
        ValueError: Not exactly one of ``threshold`` and ``ratio`` is given, one is out of range,
            the rule is unknown, or a layer would lose all its channels.
    """
    check_selection(threshold, ratio, rule, at_least)
    groups = channel_groups(network)
    scores = [RULES[rule](group) for group in groups]
    if threshold is not None:
        masks = [_over(group, threshold, at_least) for group in scores]
        hint = f'; the threshold {threshold:g} is too high: its largest score is '
        return settle_masks(groups, masks, [hint + _largest(group) for group in scores])
    share = _share_of_channels(network, groups, ratio)  # type: ignore[arg-type]  # one is given
    return [[_best(score, share) for score in group] for group in scores]


def check_selection(
    threshold: float | None = None,
    ratio: float | None = None,
    rule: Rule = 'gamma',
    at_least: int = 0,
) -> None:
    """Reject arguments that :func:`select_channels` could not use with any network.

    Raises:
        ValueError: An argument is invalid.
    """
    require_choice('rule', rule, RULES)
    if (threshold is None) == (ratio is None):
        raise ValueError('give either a threshold or a ratio to prune by, and not both.')
    if threshold is not None and not threshold > 0:
        raise ValueError(f'threshold must be positive, got {threshold:g}.')
    if ratio is not None and not 0 < ratio < 1:
        raise ValueError(f'ratio must lie between 0 and 1, got {ratio:g}.')
    if at_least < 0:
        raise ValueError(f'at_least must not be negative, got {at_least}.')


def settle_masks(groups: list[ChannelGroup], masks: Masks, hints: list[str] | None = None) -> Masks:
    """Also drop the channels that a removed scale leaves unused, and reject an empty layer.

    A scale of the fusion is kept or dropped as a whole: its dilated convolutions have no input
    without its first channels, and those feed nothing else.
    """
    masks = [list(group) for group in masks]
    for index, group in enumerate(groups):
        if group.name == 'decode_head.fuse':
            pairs = zip(masks[index], masks[index + 1], strict=True)
            for scale, (fuse, dilated) in enumerate(pairs):
                lives = fuse.any() & dilated.any()
                masks[index][scale] = fuse & lives
                masks[index + 1][scale] = dilated & lives
    for index, (group, mask) in enumerate(zip(groups, masks, strict=True)):
        if not any(bool(m.any()) for m in mask):
            raise ValueError(
                f'pruning would remove all channels of {group.name}'
                + (hints[index] if hints else '')
                + '.'
            )
    return masks


def removed_channels(masks: Masks) -> int:
    """Return the number of channels that masks remove."""
    return sum(int((~mask).sum()) for group in masks for mask in group)


def learned_widths(network: CSNet, masks: Masks) -> dict[str, Any]:
    """Return the ``learned_widths`` of a network that keeps the channels of masks."""
    counts = [tuple(int(mask.sum()) for mask in group) for group in masks]
    blocks = len(network.backbone.block_widths)
    widths: dict[str, Any] = {'blocks': tuple(counts[:blocks])}
    head = network.decode_head
    if isinstance(head, CSFDecoder):
        dilated = tuple(
            tuple(int(part.sum()) for part in branch_masks(head, scale, mask))
            for scale, mask in enumerate(masks[blocks + 1])
        )
        widths |= {'fuse': counts[blocks], 'dilated': dilated, 'merged': counts[blocks + 2][0]}
    return widths


def branch_masks(head: CSFDecoder, scale: int, mask: Tensor) -> tuple[Tensor, ...]:
    """Split the mask of a scale between its dilations; an absent dilation gets an empty part."""
    width = head.dilated_widths[scale]
    return tuple(torch.split(mask, [c if width else 0 for c in head.dilated_channels[scale]]))


def _largest(scores: list[Tensor]) -> str:
    return f'{max(float(score.max()) for score in scores if len(score)):.3g}'


def _over(scores: list[Tensor], threshold: float, at_least: int) -> list[Tensor]:
    together = torch.cat(scores)
    mask = together >= threshold
    mask[together.argsort(descending=True, stable=True)[:at_least]] = True
    return list(torch.split(mask, [len(score) for score in scores]))


def _kept(channels: int, share: float) -> int:
    return max(1, int(share * channels + 0.5)) if channels else 0


def _best(scores: Tensor, share: float) -> Tensor:
    mask = torch.zeros_like(scores, dtype=torch.bool)
    mask[scores.argsort(descending=True, stable=True)[: _kept(len(scores), share)]] = True
    return mask


def _share_of_channels(network: CSNet, groups: list[ChannelGroup], ratio: float) -> float:
    """Find the fraction of channels that leaves ``ratio`` of the parameters.

    The number of parameters grows in steps, where some layer keeps one more channel. One fraction
    between each two neighbouring steps is tried.
    """
    widths = {channels for group in groups for channels in group.channels if channels}
    steps = sorted({(k + 0.5) / c for c in widths for k in range(c)})
    shares = [(low + high) / 2 for low, high in pairwise([0.0, *steps, 1.0 + 1e-9])]
    target = ratio * sum(p.numel() for p in network.parameters())

    def parameters(share: float) -> int:
        masks = [[torch.arange(c) < _kept(c, share) for c in group.channels] for group in groups]
        with torch.device('meta'):
            arguments = {**network.arguments, 'learned_widths': learned_widths(network, masks)}
            return sum(p.numel() for p in CSNet(**arguments).parameters())

    after = bisect_left(shares, target, key=parameters)
    nearest = shares[max(after - 1, 0) : after + 1]
    return min(nearest, key=lambda share: abs(parameters(share) - target))
