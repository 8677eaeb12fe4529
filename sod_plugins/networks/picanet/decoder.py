"""The attentive U-Net decoder of PiCANet, for any pyramid of feature maps.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020. The released network is that of the CVPR 2018 paper, setting ``'cvpr'``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins.layers.picanet import ContextAttention
from sod_plugins.networks.picanet.settings import (
    CONVOLUTIONS,
    ContextOptions,
    build_context,
    parse_setting,
)
from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.ops.window import Size

TAP_NORMS = ('but_deepest', 'all', 'none')
UPSAMPLINGS = ('bilinear', 'learned')


class Decoded(NamedTuple):
    """What one decoder D_i makes.

    Attributes:
        level: i, from 1 for the finest.
        logits: Its map before the sigmoid, (N, num_classes, H_i, W_i).
        output: Dec_i, (N, C_(i-1), H_i, W_i).
        context: The module that brings context in; None where there is none, also for the rest.
        features: F_i, (N, C_i, H_i, W_i).
        attended: F_i's context, of the same size.
        attention: Its weights (N, K*K, H_i, W_i), None for plain pooling and convolutions.
    """

    level: int
    logits: Tensor
    output: Tensor
    context: nn.Module | None
    features: Tensor | None
    attended: Tensor | None
    attention: Tensor | None


@records_arguments
class PiCANetDecoder(nn.Module):
    """U-Net decoders D_L, ..., D_1, each with attention to global, to local or to no context.

    D_i up-samples the one before to the size of its encoder map, passes that map through BatchNorm
    and ReLU, and fuses both by a 1x1 convolution and a ReLU into F_i (Fig. 3b). Pooled context is
    concatenated with F_i and merged by a 1x1 convolution, BatchNorm and ReLU; AC and LC are
    themselves the convolution before these two. A decoder without context goes from the two maps
    to its output in one 1x1 convolution, as the paper's D_1 does. Every D_i has a classifier.

    Args:
        in_channels: Channels of each encoder map, finest first; their strides are free.
        setting: A name in Tab. 1, such as ``'U-Net'``, ``'6GAP_5432AC'`` or ``'6G_5432L_AveP'``, or
            one made like them, see :func:`~sod_plugins.networks.picanet.settings.parse_setting`;
            or ``'cvpr'``, the released network: ``'65GAP_432LAP'``, columns first, with learned
            up-sampling.
        num_classes: Channels of the logits.
        channels: C_i of each decoder, finest first; by default those of the encoder maps, as in the
            paper.
        out_channels: Channels of the last decoder's output; by default ``channels[0]``.
        first_level: Number of the finest decoder: 3 for a network that ends with D_3.
        gap_kernel_size: Samples along each axis of GAP.
        gap_dilation: Their distance; None lets them span any map, see
            :class:`~sod_plugins.layers.GlobalAttentionPooling`.
        local_kernel_size: Neighbours along each axis of LAP, AC, LC and the plain pooling.
        local_dilation: Their distance.
        renet_channels: Channels of each LSTM.
        attention_channels: Channels between the convolutions that make local weights.
        attention_norm: Whether BatchNorm precedes the softmax or sigmoid of the weights.
        order: Which axis ReNet scans first; by default ``'rows_first'``, with 'cvpr'
            ``'columns_first'``.
        upsample: ``'bilinear'``, or ``'learned'``: a 4x4 transposed convolution per channel that
            starts as the bilinear one; by default what the setting says.
        in_strides: Strides of the encoder maps, which learned up-sampling needs.
        tap_norm: Which encoder maps pass BatchNorm and ReLU: all ``'but_deepest'``, as the paper
            has it for VGG, whose Fc7 is activated already; ``'all'``; or ``'none'``, as the
            released ResNet has it.
        init_std: Standard deviation of the convolutions' fresh weights, as released. None is He's:
            narrow decoders need it, where signals of 0.01 per layer fall below BatchNorm's epsilon.

    Raises:
        ValueError: If the arguments do not describe a decoder.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        setting: str = '6GAP_5432AC',
        num_classes: int = 1,
        *,
        channels: Sequence[int] | None = None,
        out_channels: int | None = None,
        first_level: int = 1,
        gap_kernel_size: Size = 10,
        gap_dilation: Size | None = None,
        local_kernel_size: int = 7,
        local_dilation: int = 2,
        renet_channels: int = 256,
        attention_channels: int = 128,
        attention_norm: bool = True,
        order: str | None = None,
        upsample: str | None = None,
        in_strides: Sequence[int] | None = None,
        tap_norm: str = 'but_deepest',
        init_std: float | None = 0.01,
    ) -> None:
        super().__init__()
        widths = tuple(in_channels if channels is None else channels)
        if len(in_channels) < 2 or len(widths) != len(in_channels):
            raise ValueError(
                'PiCANetDecoder needs two maps or more and as many channels, got in_channels '
                f'{tuple(in_channels)} and channels {widths}.'
            )
        if tap_norm not in TAP_NORMS:
            raise ValueError(f'tap_norm must be one of {TAP_NORMS}, got {tap_norm!r}.')
        released = setting == 'cvpr'
        contexts = parse_setting(setting, first_level, first_level + len(widths) - 1)
        options = ContextOptions(
            gap_kernel_size,
            gap_dilation,
            local_kernel_size,
            local_dilation,
            renet_channels,
            attention_channels,
            attention_norm,
            order or ('columns_first' if released else 'rows_first'),
        )
        doubles = _doubles(upsample or ('learned' if released else 'bilinear'), in_strides, widths)
        outs = (widths[0] if out_channels is None else out_channels, *widths[:-1])
        self.out_channels = outs[0]
        self.decoders = nn.ModuleList()
        for index in reversed(range(len(widths))):
            deepest, level = index == len(widths) - 1, first_level + index
            normalised = tap_norm == 'all' or (tap_norm == 'but_deepest' and not deepest)
            self.decoders.append(
                AttentiveDecoder(
                    level,
                    in_channels[index],
                    widths[index],
                    outs[index],
                    num_classes,
                    contexts.get(level),
                    options,
                    deepest=deepest,
                    tap_norm=normalised,
                    doubles=doubles[index],
                )
            )
        self._init_convolutions(init_std)

    def forward(self, maps: Sequence[Tensor]) -> Tensor | list[Decoded]:
        """Map encoder maps (N, C_i, H_i, W_i), finest first, to the logits of the last decoder.

        In training to what every decoder makes, the deepest first.
        """
        if self.training:
            return list(self.decode(maps))
        for decoded in self.decode(maps):
            logits = decoded.logits
        return logits

    def decode(self, maps: Sequence[Tensor]) -> Iterator[Decoded]:
        """Run one decoder after the other, the deepest first."""
        previous = None
        for decoder, tap in zip(self.decoders, reversed(maps), strict=True):
            decoded: Decoded = decoder(tap, previous)
            yield decoded
            previous = decoded.output

    def _init_convolutions(self, std: float | None) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if std is None:
                    nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
                else:
                    nn.init.normal_(module.weight, std=std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)


class AttentiveDecoder(nn.Module):
    """One decoder D_i (Fig. 3b), see :class:`PiCANetDecoder`.

    Args:
        level: i.
        tap_channels: Channels of the encoder map.
        channels: C_i, of F_i and of the decoder before.
        out_channels: C_(i-1), of the output.
        num_classes: Channels of the logits.
        context: Kind of context, or None.
        options: Its sizes.
        deepest: Whether there is no decoder before; F_i is then the encoder map, projected by a 1x1
            convolution and a ReLU where the channels differ.
        tap_norm: Whether the encoder map passes BatchNorm and ReLU.
        doubles: Whether the decoder before is up-sampled by a transposed convolution.
    """

    def __init__(
        self,
        level: int,
        tap_channels: int,
        channels: int,
        out_channels: int,
        num_classes: int,
        context: str | None,
        options: ContextOptions,
        *,
        deepest: bool,
        tap_norm: bool,
        doubles: bool,
    ) -> None:
        super().__init__()
        self.level = level
        self.tap = (
            nn.Sequential(nn.BatchNorm2d(tap_channels), nn.ReLU()) if tap_norm else nn.Identity()
        )
        self.upsample = LearnedUpsampling(channels) if doubles else None
        self.concatenates = context not in CONVOLUTIONS
        both = tap_channels + (0 if deepest else channels)
        self.context: nn.Module | None = None
        self.fuse: nn.Module | None = None
        if context is None:
            merge: list[nn.Module] = [nn.Conv2d(both, out_channels, 1)]
        else:
            if not deepest or tap_channels != channels:
                self.fuse = nn.Sequential(nn.Conv2d(both, channels, 1), nn.ReLU(inplace=True))
            module = build_context(context, channels, out_channels, options)
            self.context = module
            merge = []
            if self.concatenates:
                merge.append(nn.Conv2d(channels + module.out_channels, out_channels, 1))
        self.merge = nn.Sequential(*merge, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.classifier = nn.Conv2d(out_channels, num_classes, 1)

    def forward(self, tap: Tensor, previous: Tensor | None) -> Decoded:
        """Decode an encoder map and the output of the decoder before, None for the deepest."""
        x = self.tap(tap)
        if previous is not None:
            if self.upsample is not None:
                previous = self.upsample(previous)
            if previous.shape[2:] != x.shape[2:]:
                previous = resize_bilinear(previous, (x.shape[2], x.shape[3]))
            x = torch.cat((previous, x), 1)
        features = attended = attention = None
        if self.context is not None:
            features = x if self.fuse is None else self.fuse(x)
            if isinstance(self.context, ContextAttention):
                attention = self.context.attention(features)
                attended = self.context.attend(features, attention)
            else:
                attended = self.context(features)
            x = torch.cat((features, attended), 1) if self.concatenates else attended
        output = self.merge(x)
        return Decoded(
            self.level,
            self.classifier(output),
            output,
            self.context,
            features,
            attended,
            attention,
        )


class LearnedUpsampling(nn.ConvTranspose2d):
    """Twice the size by a 4x4 transposed convolution per channel, bilinear before it learns.

    Args:
        channels: Channels of the map (N, C, H, W) and of the result (N, C, 2 H, 2 W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 4, 2, padding=1, groups=channels, bias=False)

    def reset_parameters(self) -> None:
        """Start as bilinear interpolation, which is zero outside the map."""
        line = torch.tensor([0.25, 0.75, 0.75, 0.25])
        with torch.no_grad():
            self.weight.copy_(line[:, None] * line)


def _doubles(upsample: str, strides: Sequence[int] | None, channels: Sequence[int]) -> list[bool]:
    """Say before which decoders, finest first, maps are enlarged by learned up-sampling."""
    if upsample not in UPSAMPLINGS:
        raise ValueError(f'upsample must be one of {UPSAMPLINGS}, got {upsample!r}.')
    if upsample == 'bilinear':
        return [False] * len(channels)
    if strides is None or len(strides) != len(channels):
        raise ValueError(
            f'Learned up-sampling needs in_strides of all {len(channels)} maps, got {strides}.'
        )
    ratios = [b / a for a, b in pairwise(strides)]
    if not set(ratios) <= {1, 2}:
        raise ValueError(
            f'Learned up-sampling doubles sizes or keeps them, in_strides {tuple(strides)} do not.'
        )
    return [*(ratio == 2 for ratio in ratios), False]
