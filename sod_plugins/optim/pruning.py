"""Remove channels from a CSNet (Sec. 3.2, Alg. 1): a smaller network with the same weights."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.goctconv import GOctConvNormAct
from sod_plugins.networks import CSFDecoder, CSNet
from sod_plugins.networks.backbones.csnet_widths import DILATIONS
from sod_plugins.optim.channel_selection import (
    Masks,
    Rule,
    branch_masks,
    channel_groups,
    il_blocks,
    learned_widths,
    removed_channels,
    select_channels,
    settle_masks,
)

Statistics = Literal['copy', 'reset']
STATISTICS: tuple[Statistics, ...] = get_args(Statistics)

State = dict[str, Tensor]


def prune(
    network: CSNet,
    *,
    threshold: float | None = None,
    ratio: float | None = None,
    rule: Rule = 'gamma',
    at_least: int = 0,
    statistics: Statistics = 'copy',
) -> CSNet:
    """Return a CSNet without the channels that a rule selects for removal.

    It equals the network whose removed channels are set to zero after every layer. A channel whose
    gamma is near zero may still have contributed a constant, the bias of its normalisation. That
    constant is lost too, and fine-tuning compensates for it.

    Args:
        network: A CSNet; not modified.
        threshold: See :func:`select_channels`.
        ratio: See :func:`select_channels`.
        rule: See :func:`select_channels`.
        at_least: See :func:`select_channels`.
        statistics: ``'copy'`` keeps the running statistics; ``'reset'`` sets them to 0 and 1, to
            be re-estimated in training mode, as the released code does.

    Raises:
        ValueError: Nothing or a whole layer would be removed, or an argument is invalid.
    """
    masks = select_channels(network, threshold=threshold, ratio=ratio, rule=rule, at_least=at_least)
    if not removed_channels(masks):
        limit = f'threshold {threshold:g}' if ratio is None else f'ratio {ratio:g}'
        raise ValueError(
            f'no channel has a score under the {limit} by the rule {rule!r}: there is nothing to '
            'prune. Train with a stronger decay, or choose another value.'
        )
    return remove_channels(network, masks, statistics)


def remove_channels(network: CSNet, masks: Masks, statistics: Statistics = 'copy') -> CSNet:
    """Return a CSNet that keeps the channels selected by masks, with their weights.

    Args:
        network: A CSNet; not modified.
        masks: Channels to keep, as :func:`select_channels` returns them.
        statistics: See :func:`prune`.

    Raises:
        ValueError: A layer would keep no channel, or ``statistics`` is unknown.
    """
    require_choice('statistics', statistics, STATISTICS)
    masks = settle_masks(channel_groups(network), masks)
    widths = learned_widths(network, masks)
    pruned = CSNet(**{**network.arguments, 'learned_widths': widths})
    weight = next(network.parameters())
    pruned.to(weight.device, weight.dtype).train(network.training)
    pruned.preprocessing = network.preprocessing
    state = _sliced_state(network, masks)
    if statistics == 'reset':
        names = ('running_mean', 'running_var', 'num_batches_tracked')
        state |= {k: v for k, v in pruned.state_dict().items() if k.endswith(names)}
    pruned.load_state_dict(state)
    return pruned


def _sliced_state(network: CSNet, masks: Masks) -> State:
    """Select the rows and columns to keep in every tensor of a network."""
    state = network.state_dict()
    pending = iter(masks)
    previous = [torch.ones(3, dtype=torch.bool, device=masks[0][0].device)]  # the RGB image
    sliced: State = {}
    for name, block in il_blocks(network):
        mask = next(pending)
        sliced |= _sliced_octave(state, f'{name}.conv1', block.conv1, mask, previous)
        sliced |= _sliced_octave(state, f'{name}.conv2', block.conv2, mask, mask)
        sliced |= _sliced_octave(state, f'{name}.conv3', block.conv3, mask, mask)
        previous = mask
    ends = list(accumulate(network.arguments['stage_blocks']))
    columns = [masks[ends[stage] - 1][0] for stage in network.backbone.out_indices]
    head = network.decode_head
    if isinstance(head, CSFDecoder):
        fuse, dilated, merged = pending
        sliced |= _sliced_octave(state, 'decode_head.fuse', head.fuse, fuse, columns)
        for scale in range(len(dilated)):
            sliced |= _sliced_dilated(state, head, scale, dilated[scale], fuse[scale])
        sliced |= _sliced_octave(state, 'decode_head.merge', head.merge, merged, dilated)
        columns = merged
    classifier = 'decode_head.classifier'
    sliced[f'{classifier}.weight'] = state[f'{classifier}.weight'][:, columns[-1]]
    sliced[f'{classifier}.bias'] = state[f'{classifier}.bias']
    return sliced


def _sliced_octave(
    state: State, prefix: str, layer: GOctConvNormAct, rows: list[Tensor], columns: list[Tensor]
) -> State:
    """Slice a gOctConv with its normalisations and activations."""
    weight = state[f'{prefix}.conv.weight'][torch.cat(rows)]
    if layer.conv.cross_scale:
        weight = weight[:, torch.cat(columns)]
    sliced = {f'{prefix}.conv.weight': weight}
    for scale, mask in enumerate(rows):
        for part in ('norms', 'acts'):
            sliced |= _sliced_channels(state, f'{prefix}.{part}.{scale}.', mask)
    return sliced


def _sliced_dilated(
    state: State, head: CSFDecoder, scale: int, rows: Tensor, columns: Tensor
) -> State:
    """Slice the parallel dilated convolutions of a scale."""
    prefix = f'decode_head.dilated.{scale}'
    sliced = {}
    for dilation, mask in zip(DILATIONS, branch_masks(head, scale, rows), strict=True):
        if mask.any():
            key = f'{prefix}.convs.{dilation}.weight'
            sliced[key] = state[key][mask][:, columns]
    for part in ('norm', 'act'):
        sliced |= _sliced_channels(state, f'{prefix}.{part}.', rows)
    return sliced


def _sliced_channels(state: State, prefix: str, mask: Tensor) -> State:
    """Slice the tensors with one value per channel; a removed scale keeps none."""
    if not mask.any():
        return {}
    return {
        key: value[mask] if value.ndim else value
        for key, value in state.items()
        if key.startswith(prefix)
    }


def hand_over(
    optimizer: Optimizer, before: Mapping[str, nn.Parameter], after: Mapping[str, nn.Parameter]
) -> None:
    """Let an optimizer train the parameters of a pruned model, with fresh moments.

    Args:
        optimizer: The optimizer of the model as it was; its groups keep their settings.
        before: The parameters of that model by name.
        after: The parameters of the pruned model by name.
    """
    names = {id(parameter): name for name, parameter in before.items()}
    for group in optimizer.param_groups:
        kept = (names[id(parameter)] for parameter in group['params'])
        group['params'] = [after[name] for name in kept if name in after]
    optimizer.state.clear()


def drop_gradients(optimizer: Optimizer, *_: Any) -> None:
    """Make an optimizer's step do nothing, weight decay included; a pre-hook of its steps."""
    for group in optimizer.param_groups:
        for parameter in group['params']:
            parameter.grad = None
