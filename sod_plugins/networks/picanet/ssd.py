"""The neck of SSD, with contextual attention (PiCANet, Tab. 4).

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020, Sec. 5.6. There is no released code for this part. Where the paper is
open, there is an argument.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.layers import (
    AttentionConv,
    ContextAttention,
    GlobalAttentionPooling,
    LargeConv,
    LocalAttentionPooling,
    ReNet,
)
from sod_plugins.layers.renet import Order
from sod_plugins.ops.window import Size, pair

# Columns of Tab. 4: the context of Conv4_3, FC7 and Conv8_2, and that of Conv9_2 and Conv10_2.
Setting = Literal['SSD', '478LC_910ReNet', '478AC_910GAP', '478LAP_910GAP']
SETTINGS: dict[Setting, tuple[str | None, str | None]] = {
    'SSD': (None, None),
    '478LC_910ReNet': ('LC', 'ReNet'),
    '478AC_910GAP': ('AC', 'GAP'),
    '478LAP_910GAP': ('LAP', 'GAP'),
}
FIRST_EXTRA = 8  # SSD continues to count its convolutions from FC7
NormLayer = Callable[[int], nn.Module]


class PiCANetSSDNeck(nn.Module):
    """SSD300's extra layers Conv8 to Conv11 (Liu et al., ECCV 2016) with contextual attention.

    It maps Conv4_3 and FC7 to the six maps of the head, with 38, 19, 10, 5, 3 and 1 pixels per side
    in SSD300. Each extra layer is a 1x1 convolution ("Conv8_1") to half of its channels and a 3x3
    one ("Conv8_2"), both with a ReLU. Local modules are 7x7 with dilation 2:

    * Conv4_3, FC7: the output of LAP is concatenated after the map; AC or LC, a convolution with
      the channels of the map and a ReLU, replaces the map.
    * Conv8_2: the output of LAP on Conv8_1 is concatenated after Conv8_1; AC or LC is Conv8_2.
    * Conv9_2, Conv10_2: the output of GAP on Conv9_1 and Conv10_1, whose grid is the whole map, or
      that of ReNet, is concatenated after Conv9_1 and Conv10_1.

    The paper contradicts itself about the last item. Its text and Tab. 4 have Conv9_2 and Conv10_2
    and leave Conv11_2 unchanged; its list of designs has Conv10_2 and Conv11_2, which is
    ``global_levels=(10, 11)`` here.

    Convolutions are initialised with Glorot's uniform distribution, as in SSD.

    Args:
        in_channels: Channels of Conv4_3 and FC7.
        setting: One of ``SETTINGS``, named as in Tab. 4; ``'SSD'`` is the baseline.
        extra_channels: Channels of Conv8_2, Conv9_2, ...
        extra_strides: Strides of these; 2 comes with a padding of one pixel, 1 with none.
        map_size: Size of FC7's map, an int or (rows, columns), which determines the grids of GAP.
            Other sizes are accepted: the grid then spans them, see :class:`GlobalAttentionPooling`.
        global_levels: Extra layers that attend globally, counted from 8.
        ac_channels: Channels of the AC or LC on Conv4_3 and FC7; None means those of the map.
        conv8_window: Kernel and dilation of the AC or LC that is Conv8_2. The paper does not say
            whether it keeps those of the others, the default, or Conv8_2's own, (3, 1). It has
            Conv8_2's stride, which gates of the output's size allow.
        feed_attended: Whether Conv8_1 takes FC7 with its context, as the head does. For LAP, the
            paper concatenates "as the inputs for the multibox head", so the rest of the network
            stays that of SSD.
        l2_norm_scale: Initial scale of the L2 normalisation of Conv4_3; None omits it.
        norm_attended: Whether to normalise after the attention to Conv4_3 instead of before.
        hidden_channels: Channels between the two convolutions that compute local weights.
        renet_channels: Channels of each LSTM, in GAP and in ReNet.
        order: Which axis ReNet scans first, see :class:`ReNet`.
        norm_layer: Creates the norm after every convolution here, which then has no bias, from the
            number of channels; None omits it, as in SSD.

    Attributes:
        out_channels: Channels of the maps.

    Raises:
        ValueError: An argument is not as described, or the layers leave no pixel of FC7.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024),
        setting: Setting = '478LAP_910GAP',
        *,
        extra_channels: Sequence[int] = (512, 256, 256, 256),
        extra_strides: Sequence[int] = (2, 2, 1, 1),
        map_size: Size = 19,
        global_levels: Collection[int] = (9, 10),
        ac_channels: Sequence[int] | None = None,
        conv8_window: Sequence[int] = (7, 2),
        feed_attended: bool = False,
        l2_norm_scale: float | None = 20.0,
        norm_attended: bool = False,
        hidden_channels: int = 128,
        renet_channels: int = 256,
        order: Order = 'rows_first',
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        require_choice('setting', setting, SETTINGS)
        for name, pairs in (('in_channels', in_channels), ('ac_channels', ac_channels)):
            if pairs is not None and len(pairs) != 2:
                raise ValueError(f'{name} needs 2 entries, Conv4_3 and FC7, got {tuple(pairs)}.')
        sizes = _sizes_before(pair('map_size', map_size, 1), extra_channels, extra_strides)
        levels = range(FIRST_EXTRA, FIRST_EXTRA + len(extra_channels))
        if not set(global_levels) <= set(levels[1:]):
            raise ValueError(
                f'global_levels must be among {list(levels[1:])}, got {tuple(global_levels)}.'
            )
        build = _Builder(*SETTINGS[setting], hidden_channels, renet_channels, order, norm_layer)
        self.norm_attended, self.feed_attended = norm_attended, feed_attended
        attended = [
            build.local_on_map(channels, chosen)
            for channels, chosen in zip(in_channels, ac_channels or in_channels, strict=True)
        ]
        self.contexts = nn.ModuleList(context for context, _ in attended)
        self.out_channels = (*(channels for _, channels in attended), *extra_channels)
        self.l2_norm: nn.Module = nn.Identity()
        if l2_norm_scale is not None:
            maps = self.out_channels if norm_attended else in_channels
            self.l2_norm = L2Norm(maps[0], l2_norm_scale)
        self.extra_layers = nn.ModuleList()
        kernel_size, dilation = conv8_window
        previous = self.out_channels[1] if feed_attended else in_channels[1]
        for level, channels, stride, size in zip(
            levels, extra_channels, extra_strides, sizes, strict=True
        ):
            middle = channels // 2
            layers = [*build.conv(previous, middle)]
            if level == FIRST_EXTRA:
                layers += build.conv8_2(middle, channels, stride, (kernel_size, dilation))
            elif level in global_levels:
                layers += build.conv_on_global(middle, channels, stride, size)
            else:
                layers += build.conv(middle, channels, 3, stride)
            self.extra_layers.append(nn.Sequential(*layers))
            previous = channels
        _init_xavier(self)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map Conv4_3 (N, C, H, W) and FC7, half as large, to the maps for the head."""
        fine, coarse = maps
        attend_fine, attend_coarse = self.contexts
        if self.norm_attended:
            fine = self.l2_norm(attend_fine(fine))
        else:
            fine = attend_fine(self.l2_norm(fine))
        outs = [fine, attend_coarse(coarse)]
        x = outs[1] if self.feed_attended else coarse
        for layer in self.extra_layers:
            x = layer(x)
            outs.append(x)
        return tuple(outs)


class L2Norm(nn.Module):
    """Normalise the features of every pixel to unit length, then scale channels (ParseNet, SSD).

    Args:
        channels: Channels of the map (N, channels, H, W).
        scale: Initial scale of the channels.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), float(scale)))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H, W); half precision is accumulated in float32."""
        unit = F.normalize(x if x.dtype == torch.float64 else x.float(), eps=1e-10)
        return (self.weight[:, None, None] * unit).to(x.dtype)


class WithContext(nn.Module):
    """A map with its context concatenated after it.

    Args:
        in_channels: Channels of the map.
        context: Maps the map (N, C, H, W) to ``context.out_channels`` channels of the same size.
    """

    def __init__(self, in_channels: int, context: ContextAttention | ReNet) -> None:
        super().__init__()
        self.context = context
        self.out_channels = in_channels + context.out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, out_channels, H, W)."""
        return torch.cat((x, self.context(x)), 1)


class _Builder(NamedTuple):
    """Builds the layers of one setting."""

    local: str | None
    overall: str | None
    hidden_channels: int
    renet_channels: int
    order: Order
    norm_layer: NormLayer | None

    def conv(
        self, in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1
    ) -> list[nn.Module]:
        """Build an ordinary convolution; as in SSD, only stride 2 comes with a padding."""
        bias = self.norm_layer is None
        return self._activated(
            nn.Conv2d(in_channels, out_channels, kernel_size, stride, stride - 1, bias=bias),
            out_channels,
        )

    def local_on_map(self, channels: int, conv_channels: int) -> tuple[nn.Module, int]:
        """Build the module between a map and the head, and return its output channels."""
        if self.local is None:
            return nn.Identity(), channels
        if self.local == 'LAP':
            beside = self._with_local_pool(channels)
            return beside, beside.out_channels
        return nn.Sequential(*self._local_conv(channels, conv_channels)), conv_channels

    def conv8_2(
        self, in_channels: int, out_channels: int, stride: int, window: tuple[int, int]
    ) -> list[nn.Module]:
        """Build Conv8_2 or its replacement."""
        if self.local in ('AC', 'LC'):
            return self._local_conv(in_channels, out_channels, window, stride)
        if self.local is None:
            return self.conv(in_channels, out_channels, 3, stride)
        beside = self._with_local_pool(in_channels)
        return [beside, *self.conv(beside.out_channels, out_channels, 3, stride)]

    def conv_on_global(
        self, in_channels: int, out_channels: int, stride: int, size: tuple[int, int]
    ) -> list[nn.Module]:
        """Build a 3x3 convolution that also takes the global context."""
        context: ContextAttention | ReNet
        if self.overall is None:
            return self.conv(in_channels, out_channels, 3, stride)
        if self.overall == 'GAP':
            context = GlobalAttentionPooling(
                in_channels, size, hidden_channels=self.renet_channels, order=self.order
            )
        else:
            context = ReNet(in_channels, self.renet_channels, self.order)
        beside = WithContext(in_channels, context)
        return [beside, *self.conv(beside.out_channels, out_channels, 3, stride)]

    def _with_local_pool(self, channels: int) -> WithContext:
        pool = LocalAttentionPooling(channels, hidden_channels=self.hidden_channels)
        return WithContext(channels, pool)

    def _local_conv(
        self,
        in_channels: int,
        out_channels: int,
        window: tuple[int, int] = (7, 2),
        stride: int = 1,
    ) -> list[nn.Module]:
        conv: nn.Module
        bias = self.norm_layer is None
        if self.local == 'AC':
            conv = AttentionConv(
                in_channels,
                out_channels,
                *window,
                stride,
                bias=bias,
                hidden_channels=self.hidden_channels,
            )
        else:
            conv = LargeConv(in_channels, out_channels, *window, stride, bias=bias)
        return self._activated(conv, out_channels)

    def _activated(self, conv: nn.Module, channels: int) -> list[nn.Module]:
        norm = [] if self.norm_layer is None else [self.norm_layer(channels)]
        return [conv, *norm, nn.ReLU(inplace=True)]


def _sizes_before(
    size: tuple[int, int], channels: Sequence[int], strides: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the size (rows, columns) of the map that each extra layer takes.

    Raises:
        ValueError: Channels and strides do not describe layers, or nothing is left of the map.
    """
    if len(channels) != len(strides) or not set(strides) <= {1, 2}:
        raise ValueError(
            'extra_channels and extra_strides need one entry per layer, the strides 1 or 2, got '
            f'{tuple(channels)} and {tuple(strides)}.'
        )
    sizes = [size]
    for stride in strides:
        rows, columns = ((n + 1) // 2 if stride == 2 else n - 2 for n in sizes[-1])
        sizes.append((rows, columns))
    if min(sizes[-1]) < 1:
        raise ValueError(
            f'extra_strides {tuple(strides)} leave nothing of a map_size of {size}: give a larger '
            'map, or fewer layers of stride 1.'
        )
    return sizes[:-1]


def _init_xavier(network: nn.Module) -> None:
    """Initialise convolutions with Glorot's uniform distribution, and biases with 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
