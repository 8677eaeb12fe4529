"""The context of each decoder of PiCANet, by the names of the paper's Tab. 1."""

from __future__ import annotations

import re
from typing import NamedTuple

from sod_plugins.layers.picanet import (
    AttentionConv,
    ContextAttention,
    GlobalAttentionPooling,
    LocalAttentionPooling,
)
from sod_plugins.layers.plain_context import GlobalPooling, LargeConv, LocalPooling, Mode
from sod_plugins.layers.renet import Order, ReNet
from sod_plugins.ops.window import Size

TABLE_1 = (
    'U-Net',
    '6GAP',
    '6GAP_5AC',
    '6GAP_54AC',
    '6GAP_543AC',
    '6GAP_5432AC',
    '65432AC',
    '65GAP_432AC',
    '654GAP_32AC',
    '6GAP_5432LAP',
    '6ReNet_5432LC',
    '6G_5432L_AveP',
    '6G_5432L_MaxP',
)
RELEASED = '65GAP_432LAP'
CONTEXTS = ('GAP', 'LAP', 'AC', 'LC', 'ReNet')
POOLINGS: dict[str, Mode] = {'AveP': 'average', 'MaxP': 'max'}
Context = ContextAttention | GlobalPooling | LargeConv | LocalPooling | ReNet
# Contexts that are convolutions of the features; all others are merged with the features.
CONVOLUTIONS = ('AC', 'LC')


class ContextOptions(NamedTuple):
    """Sizes of the context modules, see :class:`PiCANetDecoder`."""

    gap_kernel_size: Size
    gap_dilation: Size | None
    local_kernel_size: int
    local_dilation: int
    renet_channels: int
    attention_channels: int
    attention_norm: bool
    order: Order


def parse_setting(setting: str, first: int, last: int) -> dict[int, str]:
    """Parse the name of a setting into the context of each decoder that has one.

    ``'6GAP_5432AC'`` is GAP in decoder 6 and AC in decoders 5 to 2; the paper's spelling, with a
    leading plus and spaces for underscores, is accepted. ``'6G_5432L_AveP'`` is global and local
    pooling without attention; ``'U-Net'`` has no context; ``'cvpr'`` is ``'65GAP_432LAP'``.

    Args:
        setting: The name.
        first: Index of the finest decoder.
        last: Index of the deepest decoder.

    Returns:
        ``'GAP'``, ``'LAP'``, ``'AC'``, ``'LC'``, ``'ReNet'``, or ``'G'`` or ``'L'`` followed by the
        kind of pooling, by the index of the decoder.

    Raises:
        ValueError: The name is malformed, or names a decoder twice or one that does not exist.
    """
    if setting == 'U-Net':
        return {}
    name = RELEASED if setting == 'cvpr' else setting
    *parts, tail = name.removeprefix('+').replace(' ', '_').split('_')
    pooling = tail if tail in POOLINGS else ''
    contexts: dict[int, str] = {}
    for part in parts if pooling else [*parts, tail]:
        found = re.fullmatch(r'(\d+)([A-Za-z]+)', part)
        if found is None or found[2] not in (('G', 'L') if pooling else CONTEXTS):
            raise ValueError(
                f"The setting {setting!r} is not one of {TABLE_1} or 'cvpr', nor made like them: "
                f'numbers of decoders before {", ".join(CONTEXTS)}, or before G and L with one of '
                f'{sorted(POOLINGS)} at the end.'
            )
        for level in map(int, found[1]):
            if not first <= level <= last:
                raise ValueError(
                    f'The setting {setting!r} names decoder {level}, but there are decoders '
                    f'{last} to {first}, one per map: write another number, for instance '
                    f'{last}GAP.'
                )
            if level in contexts:
                raise ValueError(f'The setting {setting!r} names decoder {level} twice.')
            contexts[level] = found[2] + pooling
    return contexts


def build_context(
    kind: str, in_channels: int, out_channels: int, options: ContextOptions
) -> Context:
    """Build a context module.

    Args:
        kind: A kind returned by :func:`parse_setting`.
        in_channels: Channels of the features (N, C, H, W).
        out_channels: Channels of the output, for the convolutions.
        options: Sizes of the module.
    """
    window = (options.local_kernel_size, options.local_dilation)
    hidden_channels, batch_norm = options.attention_channels, options.attention_norm
    if kind == 'GAP':
        return GlobalAttentionPooling(
            in_channels,
            options.gap_kernel_size,
            options.gap_dilation,
            hidden_channels=options.renet_channels,
            order=options.order,
            batch_norm=batch_norm,
        )
    if kind == 'LAP':
        return LocalAttentionPooling(
            in_channels, *window, hidden_channels=hidden_channels, batch_norm=batch_norm
        )
    if kind == 'AC':
        return AttentionConv(
            in_channels,
            out_channels,
            *window,
            hidden_channels=hidden_channels,
            batch_norm=batch_norm,
        )
    if kind == 'LC':
        return LargeConv(in_channels, out_channels, *window)
    if kind == 'ReNet':
        return ReNet(in_channels, options.renet_channels, options.order)
    if kind[0] == 'G':
        return GlobalPooling(in_channels, POOLINGS[kind[1:]])
    return LocalPooling(in_channels, *window, POOLINGS[kind[1:]])
