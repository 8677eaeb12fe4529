"""Which decoder of PiCANet has which context, by the names of the paper's Tab. 1."""

from __future__ import annotations

import re
from typing import NamedTuple

from sod_plugins.layers.picanet import (
    AttentionConv,
    ContextAttention,
    GlobalAttentionPooling,
    LocalAttentionPooling,
)
from sod_plugins.layers.plain_context import GlobalPooling, LargeConv, LocalPooling
from sod_plugins.layers.renet import ReNet
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
POOLINGS = {'AveP': 'average', 'MaxP': 'max'}
Context = ContextAttention | GlobalPooling | LargeConv | LocalPooling | ReNet
# Convolutions of the features; whatever else makes context is merged with them.
CONVOLUTIONS = ('AC', 'LC')


class ContextOptions(NamedTuple):
    """Sizes of the modules that bring context in, see :class:`PiCANetDecoder`."""

    gap_kernel_size: Size
    gap_dilation: Size | None
    local_kernel_size: int
    local_dilation: int
    renet_channels: int
    attention_channels: int
    attention_norm: bool
    order: str


def parse_setting(setting: str, first: int, last: int) -> dict[int, str]:
    """Turn the name of a setting into the context of each decoder that has one.

    ``'6GAP_5432AC'`` is GAP in decoder 6 and AC in decoders 5 to 2; a plus before it and spaces
    for underscores are the paper's way to write it. ``'6G_5432L_AveP'`` is global and local
    pooling without attention; ``'U-Net'`` has no context; ``'cvpr'`` is ``'65GAP_432LAP'``.

    Args:
        setting: The name.
        first: Number of the finest decoder.
        last: Number of the deepest one.

    Returns:
        ``'GAP'``, ``'LAP'``, ``'AC'``, ``'LC'``, ``'ReNet'``, or ``'G'`` or ``'L'`` with the
        kind of pooling behind it, by the number of the decoder.

    Raises:
        ValueError: If it cannot be read, or names a decoder twice or one that is not there.
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
                f"The setting {setting!r} is none of {TABLE_1}, nor 'cvpr', nor made like them: "
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
    """Build the module that brings context in, with ``out_channels``.

    Args:
        kind: One that :func:`parse_setting` returns.
        in_channels: Channels of the features (N, C, H, W).
        out_channels: Channels of the result, for the convolutions.
        options: Sizes of everything.
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
