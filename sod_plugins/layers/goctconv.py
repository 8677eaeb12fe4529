"""Blocks of CSNet: generalized octave convolution, in-layer multi-scale block, dilated group.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section numbers are those of this text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.channels_last import Implementation
from sod_plugins.ops.conv import conv2d
from sod_plugins.ops.octave_conv import COARSENINGS, Coarsening, Maps, octave_conv

NormLayer = Callable[[int], nn.Module]


class GOctConv(nn.Module):
    """Generalized octave convolution (Sec. 3.1): any number of input and output scales.

    This class covers three instances of the paper:

    * the vanilla OctConv, ``GOctConv((h, l), (h, l), k)``;
    * the cross-stage one, ``GOctConv((c2, c3, c4), (c,), 1)``;
    * the simplified one, ``GOctConv((h, l), (h, l), 3, cross_scale=False)``, depthwise per scale.

    Input and output are lists of maps, finest first, with None for a scale without channels.

    Args:
        in_channels: Channels of each input scale; 0 for an empty scale.
        out_channels: Channels of each output scale; 0 for an empty scale.
        kernel_size: Side of the square kernel; the padding keeps the size.
        stride: 1, or 2 for 2x2 average pooling of every input first.
        dilation: Dilation of the convolution.
        cross_scale: False for the simplified instance.
        weight_scale: Factor on the stored weight in every forward pass. The released CSNet uses 100
            for its depthwise and dilated convolutions, to converge faster; the paper is silent.
        coarsening: How a map is reduced to a coarser scale, ``'max_pool'`` or ``'bilinear'``.

    Raises:
        ValueError: A side has no channels, the stride is not 1 or 2, the coarsening is unknown, or
            the simplified instance is asked to change its channels.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        kernel_size: int,
        *,
        stride: int = 1,
        dilation: int = 1,
        cross_scale: bool = True,
        weight_scale: float = 1.0,
        coarsening: Coarsening = 'max_pool',
    ) -> None:
        super().__init__()
        self.in_channels = tuple(in_channels)
        self.out_channels = tuple(out_channels)
        if sum(self.in_channels) == 0 or sum(self.out_channels) == 0:
            raise ValueError(
                f'GOctConv needs channels on both sides, got {in_channels=} and {out_channels=}.'
            )
        if not cross_scale and self.in_channels != self.out_channels:
            raise ValueError(
                'GOctConv without cross-scale paths is depthwise: out_channels must equal '
                f'in_channels, got {in_channels=} and {out_channels=}.'
            )
        require_choice('stride', stride, (1, 2))
        require_choice('coarsening', coarsening, COARSENINGS)
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.cross_scale = cross_scale
        self.weight_scale = weight_scale
        self.coarsening = coarsening
        columns = sum(self.in_channels) if cross_scale else 1
        self.weight = nn.Parameter(
            torch.empty(sum(self.out_channels), columns, kernel_size, kernel_size)
        )
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, maps: Sequence[Tensor | None]) -> Maps:
        """Convolve one map per input scale to one map per output scale."""
        if len(maps) != len(self.in_channels):
            raise ValueError(
                f'GOctConv has {len(self.in_channels)} input scales, got {len(maps)} maps.'
            )
        weight = self.weight if self.weight_scale == 1 else self.weight * self.weight_scale
        return octave_conv(
            maps,
            weight,
            self.in_channels,
            self.out_channels,
            stride=self.stride,
            padding=self.dilation * (self.kernel_size // 2),
            dilation=self.dilation,
            cross_scale=self.cross_scale,
            coarsening=self.coarsening,
        )

    def extra_repr(self) -> str:
        """Return what ``print(module)`` shows in brackets."""
        text = f'{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}'
        if self.stride != 1:
            text += f', stride={self.stride}'
        if not self.cross_scale:
            text += ', cross_scale=False'
        if self.weight_scale != 1:
            text += f', weight_scale={self.weight_scale:g}'
        return text


class GOctConvNormAct(nn.Module):
    """A gOctConv with a separate normalisation and PReLU for every output scale (Sec. 4.2).

    Takes the arguments of :class:`GOctConv`, and ``norm_layer``, which creates the normalisation of
    a scale from its number of channels. If both sides have one scale, the convolution is plain, and
    the released network gives it the weight scale of its plain convolutions: ``plain_weight_scale``
    is that factor.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        kernel_size: int,
        *,
        stride: int = 1,
        cross_scale: bool = True,
        plain_weight_scale: float = 1.0,
        coarsening: Coarsening = 'max_pool',
        norm_layer: NormLayer = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        plain = not cross_scale or len(in_channels) == len(out_channels) == 1
        self.conv = GOctConv(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            cross_scale=cross_scale,
            weight_scale=plain_weight_scale if plain else 1.0,
            coarsening=coarsening,
        )
        # An empty scale keeps its index, so norms[s] always belongs to scale s.
        self.norms = nn.ModuleList(norm_layer(c) if c else nn.Identity() for c in out_channels)
        self.acts = nn.ModuleList(nn.PReLU(c) if c else nn.Identity() for c in out_channels)

    def forward(self, maps: Sequence[Tensor | None]) -> Maps:
        """Map lists of (N, C_s, H_s, W_s) to lists, like :class:`GOctConv`."""
        return [
            None if y is None else act(norm(y))
            for y, norm, act in zip(self.conv(maps), self.norms, self.acts, strict=True)
        ]

    def fused(self, implementation: Implementation = 'auto') -> nn.Module | None:
        """Return the fused layer for inference, with its own weights; None for other norms."""
        from sod_plugins.layers.goctconv_fused import FusedGOctConv  # it imports this module

        plain = all(isinstance(norm, (nn.BatchNorm2d, nn.Identity)) for norm in self.norms)
        return FusedGOctConv(self, implementation) if plain else None


class ILBlock(nn.Module):
    """In-layer multi-scale block (Sec. 4.2): one OctConv across scales, two inside each scale.

    Args:
        in_channels: Channels of each input scale.
        out_channels: Channels of each output scale.
        kernel_size: Kernel of the first convolution: 3 in the first block of a stage, else 1.
        stride: Stride of the first convolution.
        vanilla: Whether the last two convolutions are cross-scale as well ("Vanilla" in Tab. 6).
        weight_scale: Factor on the weights of the plain convolutions, see :class:`GOctConv`.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: Sequence[int],
        kernel_size: int = 1,
        *,
        stride: int = 1,
        vanilla: bool = False,
        weight_scale: float = 100.0,
    ) -> None:
        super().__init__()
        self.conv1 = GOctConvNormAct(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            plain_weight_scale=weight_scale,
        )
        self.conv2, self.conv3 = (
            GOctConvNormAct(
                out_channels,
                out_channels,
                3,
                cross_scale=vanilla,
                plain_weight_scale=weight_scale,
            )
            for _ in range(2)
        )

    def forward(self, maps: Sequence[Tensor | None]) -> Maps:
        """Map a list of (N, C_s, H_s, W_s) to a list of maps with the output channels."""
        out: Maps = self.conv3(self.conv2(self.conv1(maps)))
        return out


class ParallelDilatedConv(nn.Module):
    """Parallel dilated 3x3 convolutions on one map, concatenated (Sec. 4.3, Tab. 1).

    Args:
        in_channels: Channels of the map.
        out_channels: Channels of each dilated convolution; 0 leaves one out.
        dilations: Dilation of each convolution.
        weight_scale: Factor on their weights, see :class:`GOctConv`.
        norm_layer: Creates the normalisation of the concatenation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Sequence[int],
        dilations: Sequence[int] = (1, 2, 4, 8, 16),
        *,
        weight_scale: float = 100.0,
        norm_layer: NormLayer = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        if len(out_channels) != len(dilations):
            raise ValueError(
                f'ParallelDilatedConv needs a width per dilation, got {out_channels=} for '
                f'{dilations=}.'
            )
        self.weight_scale = weight_scale
        self.convs = nn.ModuleDict(
            {
                str(d): nn.Conv2d(in_channels, c, 3, padding=d, dilation=d, bias=False)
                for c, d in zip(out_channels, dilations, strict=True)
                if c
            }
        )
        self.norm = norm_layer(sum(out_channels))
        self.act = nn.PReLU(sum(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, sum of out_channels, H, W)."""
        branches = []
        for dilation, conv in self.convs.items():
            weight = conv.get_parameter('weight') * self.weight_scale
            d = int(dilation)
            branches.append(conv2d(x, weight, padding=d, dilation=d))
        out: Tensor = self.act(self.norm(torch.cat(branches, 1)))
        return out

    def fused(self, implementation: Implementation = 'auto') -> nn.Module | None:
        """Return its form for inference, which shares no weights; None for other norms."""
        from sod_plugins.layers.goctconv_fused import FusedParallelDilatedConv

        plain = isinstance(self.norm, nn.BatchNorm2d)
        return FusedParallelDilatedConv(self, implementation) if plain else None
