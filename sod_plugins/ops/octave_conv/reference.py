"""Generalized octave convolution (CSNet, Sec. 3.1, Eq. 1 and 2) as a function on lists of maps.

A multi-scale feature is a list of maps, finest first; entry s has 2**s times fewer rows and columns
than entry 0. An entry is None if a scale has no channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Literal, Protocol, get_args

import torch.nn.functional as F
from torch import Tensor

from sod_plugins.ops.conv import conv2d
from sod_plugins.ops.resize import resize_bilinear

Maps = list[Tensor | None]

Coarsening = Literal['max_pool', 'bilinear']
COARSENINGS: tuple[Coarsening, ...] = get_args(Coarsening)


class HasShape(Protocol):
    """A tensor or an array."""

    @property
    def shape(self) -> Sequence[int]:
        """The dimensions."""


def scale_sizes(inputs: Sequence[HasShape | None], scales: int) -> list[tuple[int, int]]:
    """Return the (height, width) of the first ``scales`` scales of a multi-scale feature.

    A scale that ``inputs`` lacks takes the size of the nearest finer map, halved and rounded down
    once per scale, or else that of the nearest coarser map, doubled once per scale.

    Raises:
        ValueError: No input has channels.
    """
    known = {s: (x.shape[-2], x.shape[-1]) for s, x in enumerate(inputs) if x is not None}
    if not known:
        raise ValueError('octave_conv needs at least one input scale with channels, got none.')
    sizes = []
    for scale in range(scales):
        finer = [s for s in known if s <= scale]
        nearest = max(finer) if finer else min(known)
        height, width = known[nearest]
        if finer:
            factor = 2 ** (scale - nearest)
            sizes.append((height // factor, width // factor))
        else:
            factor = 2 ** (nearest - scale)
            sizes.append((height * factor, width * factor))
    return sizes


def pooling_cell(size: Sequence[int], coarser: tuple[int, int]) -> int | None:
    """Return the side of the cells that pool a map to a coarser one, or None if they do not fit."""
    cell = size[0] // coarser[0]
    return cell if (size[0] // cell, size[1] // cell) == coarser else None


def coarsen(
    x: Tensor,
    size: tuple[int, int],
    mode: str,
    max_pool: Callable[[Tensor, int], Tensor] = F.max_pool2d,
) -> Tensor:
    """Reduce maps (N, C, H, W) to a coarser size, by max pooling or bilinearly."""
    if mode == 'bilinear':
        return resize_bilinear(x, size)
    cell = pooling_cell(x.shape[-2:], size)
    if cell is None:  # a pyramid of another network that rounds up
        return F.adaptive_max_pool2d(x, size)
    return max_pool(x, cell)


def octave_conv(
    inputs: Sequence[Tensor | None],
    weight: Tensor,
    in_channels: Sequence[int],
    out_channels: Sequence[int],
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    cross_scale: bool = True,
    coarsening: Coarsening = 'max_pool',
) -> Maps:
    """Convolve a multi-scale feature into another: every output scale sums over all input scales.

    A path to a coarser scale pools first and then convolves. A path to a finer scale convolves at
    the coarse size and then upsamples bilinearly. With ``cross_scale=False`` each scale is
    convolved separately and depthwise: the paper's *simplified* instance (Sec. 4.2).

    Args:
        inputs: One map (N, C_i, H / 2**i, W / 2**i) per input scale, or None if C_i is 0.
        weight: All paths in one tensor (sum of out_channels, sum of in_channels, k, k), with rows
            and columns ordered from the finest scale; (sum of channels, 1, k, k) without
            cross-scale paths.
        in_channels: Channels C_i of each input scale.
        out_channels: Channels of each output scale.
        stride: 1, or 2, which halves every input by 2x2 average pooling before anything else.
        padding: Zero padding of the convolution, in pixels of each scale.
        dilation: Dilation of the convolution.
        cross_scale: Whether information passes between scales.
        coarsening: ``'max_pool'`` (CSNet) or ``'bilinear'`` (CSF on ResNet).

    Returns:
        One map (N, C_j, H / 2**j, W / 2**j) per output scale, halved once more by stride 2; None
        if C_j is 0. Odd sizes are rounded down at each step to a coarser scale.

    Raises:
        ValueError: No input has channels.
    """
    if stride == 2:
        inputs = [None if x is None else F.avg_pool2d(x, 2) for x in inputs]
    columns = [0, *accumulate(in_channels)]
    rows = [0, *accumulate(out_channels)]
    if not cross_scale:
        return _depthwise(inputs, weight, rows, padding, dilation)
    sizes = scale_sizes(inputs, max(len(in_channels), len(out_channels)))
    outputs: Maps = [None] * len(out_channels)
    for i, x in enumerate(inputs):
        if x is None:
            continue
        for j, channels in enumerate(out_channels):
            if channels == 0:
                continue
            path = weight[rows[j] : rows[j + 1], columns[i] : columns[i + 1]]
            source = coarsen(x, sizes[j], coarsening) if j > i else x
            y = conv2d(source, path, padding=padding, dilation=dilation)
            if j < i:
                y = resize_bilinear(y, sizes[j])
            total = outputs[j]
            outputs[j] = y if total is None else total + y
    return outputs


def _depthwise(
    inputs: Sequence[Tensor | None], weight: Tensor, rows: list[int], padding: int, dilation: int
) -> Maps:
    """Convolve every scale depthwise."""
    outputs: Maps = []
    for x, start, end in zip(inputs, rows, rows[1:], strict=False):
        if x is None:
            outputs.append(None)
        else:
            kernel = weight[start:end]
            groups = end - start
            outputs.append(conv2d(x, kernel, padding=padding, dilation=dilation, groups=groups))
    return outputs
