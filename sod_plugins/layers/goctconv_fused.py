"""gOctConvs for inference, with folded normalisation and weight scale and merged scale paths."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from sod_plugins.layers.channels_last import (
    ChannelsLastPReLU,
    Implementation,
    PointwiseConv,
    reads_rows,
)
from sod_plugins.layers.goctconv import GOctConvNormAct, ParallelDilatedConv
from sod_plugins.ops.dilated_conv import parallel_dilated_conv
from sod_plugins.ops.octave_conv import Maps, coarsen, scale_sizes
from sod_plugins.ops.octave_conv.rows import max_pool2d
from sod_plugins.ops.resize import resize_bilinear


class FusedGOctConv(nn.Module):
    """A :class:`GOctConvNormAct` in evaluation mode, in fewer operations.

    BatchNorm and weight scale are folded into the weights. The paths to an output scale from finer
    scales and from the same scale become one convolution over their concatenation. Paths from
    coarser scales join it if fewer channels are then upsampled than after a separate convolution;
    for a 1x1 convolution the order makes no difference to the result.

    Args:
        layer: The layer, with BatchNorms; not modified.
        implementation: ``'rows'``, ``'reference'`` or ``'auto'``, see
            :func:`~sod_plugins.layers.channels_last.reads_rows`.
    """

    def __init__(self, layer: GOctConvNormAct, implementation: Implementation = 'auto') -> None:
        super().__init__()
        self.implementation = implementation
        conv = layer.conv
        self.stride, self.coarsening = conv.stride, conv.coarsening
        self.out_channels = conv.out_channels
        self.depthwise = not conv.cross_scale
        self.acts = nn.ModuleList(
            ChannelsLastPReLU(act, implementation) if isinstance(act, nn.PReLU) else act
            for act in layer.acts
        )
        # Per output scale, the input scales that each of its convolutions reads.
        self.sources: list[list[list[int]]] = []
        self.convs = nn.ModuleList()
        weights = torch.split(conv.weight * conv.weight_scale, list(conv.out_channels))
        for scale, (weight, norm) in enumerate(zip(weights, layer.norms, strict=True)):
            if not isinstance(norm, nn.BatchNorm2d):  # a scale without channels
                self.sources.append([])
                self.convs.append(nn.ModuleList())
                continue
            weight, bias = fold_norm(weight, None, norm)
            padding, dilation = conv.dilation * (conv.kernel_size // 2), conv.dilation
            if conv.cross_scale:
                sources = _sources(conv.in_channels, len(weight), scale, conv.kernel_size)
                columns = torch.split(weight, list(conv.in_channels), 1)
                parts = [torch.cat([columns[i] for i in group], 1) for group in sources]
            else:
                sources, parts = [[scale]], [weight]
            groups = 1 if conv.cross_scale else len(weight)
            self.sources.append(sources)
            self.convs.append(
                nn.ModuleList(
                    _conv(part, None if k else bias, padding, dilation, groups, implementation)
                    for k, part in enumerate(parts)
                )
            )

    def forward(self, maps: Sequence[Tensor | None]) -> Maps:
        """Map lists of (N, C_s, H_s, W_s) to lists, like :class:`GOctConvNormAct`."""
        if self.stride == 2:
            maps = [None if x is None else F.avg_pool2d(x, 2) for x in maps]
        sizes = scale_sizes(maps, max(len(maps), len(self.out_channels)))
        outputs: Maps = []
        for scale, (groups, convs, act) in enumerate(
            zip(self.sources, self.convs, self.acts, strict=True)
        ):
            total: Tensor | None = None
            for group, conv in zip(groups, convs, strict=True):  # type: ignore[call-overload]
                if min(group) > scale:
                    y = resize_bilinear(conv(maps[group[0]]), sizes[scale])
                    total = y if total is None else total.add_(y)
                    continue
                x = self._gather(maps, group, scale, sizes[scale])
                if total is None:
                    total = conv(x)
                elif isinstance(conv, PointwiseConv):
                    total = conv.add_to(total, x)
                else:
                    total = total.add_(conv(x))
            outputs.append(None if total is None else act(total))
        return outputs

    def _gather(
        self, maps: Sequence[Tensor | None], group: list[int], scale: int, size: tuple[int, int]
    ) -> Tensor:
        """Resize maps to the size of a scale and concatenate them."""
        parts = []
        for i in group:
            x = maps[i]
            assert x is not None  # its weights would be empty
            if i < scale:
                pool = max_pool2d if reads_rows(x, self.implementation) else F.max_pool2d
                x = coarsen(x, size, self.coarsening, pool)
            elif i > scale:
                x = resize_bilinear(x, size)
            parts.append(x)
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


class FusedParallelDilatedConv(nn.Module):
    """A :class:`ParallelDilatedConv` in evaluation mode, with BatchNorm folded.

    Args:
        layer: The layer, with a BatchNorm; not modified.
        implementation: As of :class:`FusedGOctConv`.
    """

    def __init__(self, layer: ParallelDilatedConv, implementation: Implementation = 'auto') -> None:
        super().__init__()
        self.implementation = implementation
        weights: list[Tensor] = [conv.get_parameter('weight') for conv in layer.convs.values()]
        weight, bias = fold_norm(torch.cat(weights) * layer.weight_scale, None, layer.norm)
        self.channels = [len(weight) for weight in weights]
        self.dilations = [int(dilation) for dilation in layer.convs]
        self.convs = nn.ModuleList(
            _conv(rows, shift, dilation, dilation)
            for dilation, rows, shift in zip(
                self.dilations,
                torch.split(weight, self.channels),
                torch.split(bias, self.channels),
                strict=True,
            )
        )
        taps = weight.detach().permute(2, 3, 0, 1).reshape(-1, weight.shape[1])
        self.register_buffer('taps', taps)
        self.register_buffer('bias', bias.detach())
        self.act = ChannelsLastPReLU(layer.act, implementation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, sum of out_channels, H, W)."""
        if reads_rows(x, self.implementation):
            taps, bias = self.get_buffer('taps'), self.get_buffer('bias')
            y = parallel_dilated_conv(x, taps, bias, self.dilations, self.channels)
            y = y.contiguous(memory_format=torch.channels_last)
        else:
            y = torch.cat([conv(x) for conv in self.convs], 1)
        out: Tensor = self.act(y)
        return out


def _sources(channels: Sequence[int], out: int, scale: int, kernel_size: int) -> list[list[int]]:
    """Return the input scales read by each convolution to one output scale, coarser ones first."""
    near = [i for i, c in enumerate(channels) if c and i <= scale]
    far = [i for i, c in enumerate(channels) if c and i > scale]
    if near and kernel_size == 1 and sum(channels[i] for i in far) < out * len(far):
        return [near + far]
    return [[i] for i in far] + [near] * bool(near)


def fold_norm(
    weight: Tensor, bias: Tensor | None, norm: nn.Module
) -> tuple[nn.Parameter, nn.Parameter]:
    """Fold the BatchNorm after a convolution into the convolution's weight and bias."""
    assert isinstance(norm, nn.BatchNorm2d)
    mean, variance = norm.get_buffer('running_mean'), norm.get_buffer('running_var')
    return fuse_conv_bn_weights(
        nn.Parameter(weight), bias, mean, variance, norm.eps, norm.weight, norm.bias
    )


def _conv(
    weight: Tensor,
    bias: Tensor | None,
    padding: int,
    dilation: int,
    groups: int = 1,
    implementation: Implementation = 'auto',
) -> nn.Conv2d:
    out, columns, side, _ = weight.shape
    if side == 1:
        return PointwiseConv(weight, bias, implementation)
    conv = nn.Conv2d(
        columns * groups,
        out,
        side,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias is not None,
    ).to(weight)
    conv.weight.data.copy_(weight)
    if conv.bias is not None and bias is not None:
        conv.bias.data.copy_(bias)
    return conv
