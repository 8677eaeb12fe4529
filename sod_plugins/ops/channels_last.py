"""Operators of inference on a CPU for maps of few channels that lie channels-last in memory.

Torch's own loop over the channels of one pixel after the other, or over pixels with strides; with
the eight to twenty channels of CSNet's finest scales that leaves most lanes of a vector idle. These
read the same memory as fewer and longer rows. Each equals the operator that it is named after.
"""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

PART = 2**16  # numbers that fit the cache of a core twice


def pointwise_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, total: Tensor | None = None
) -> Tensor:
    """Convolve with a 1x1 kernel, ``g`` neighbouring pixels at a time.

    Args:
        x: Maps (N, C, H, W).
        weight: (g * O, g * C): ``g`` times the kernel (O, C) along the diagonal, zeros elsewhere;
            the number of pixels must be a multiple of ``g``.
        bias: ``g`` times the bias (O), or None.
        total: Channels-last maps (N, O, H, W) that the result, without a bias, is added to in
            place.

    Returns:
        Maps (N, O, H, W), channels-last.
    """
    batch, channels, height, width = x.shape
    pixels = x.permute(0, 2, 3, 1).reshape(-1, weight.shape[1])
    if total is not None:
        total.permute(0, 2, 3, 1).view(-1, len(weight)).addmm_(pixels, weight.T)
        return total
    out_channels = len(weight) * channels // weight.shape[1]
    out = F.linear(pixels, weight, bias).view(batch, height, width, out_channels)
    return out.permute(0, 3, 1, 2)


def prelu_(x: Tensor, slopes: Tensor) -> Tensor:
    """Apply PReLU in place to maps (N, C, H, W) with one slope (C) for each channel."""
    rows = x.permute(0, 2, 3, 1)
    if not rows.is_contiguous():
        return x.copy_(F.prelu(x, slopes))
    # A row of pixels as one long row of channels, each with the slope of its channel.
    slopes = slopes.expand(x.shape[3], -1).reshape(-1)
    # Part by part, since torch has no PReLU in place, and fresh memory takes longer than PReLU. In
    # a trace their number is fixed, so that only their size may follow the batch.
    parts = int(x.numel()) // PART + 1
    for part in torch.tensor_split(rows.view(-1, len(slopes)), parts):
        part.copy_(F.prelu(part, slopes))
    return x


def max_pool2d(x: Tensor, cell: int) -> Tensor:
    """Reduce maps (N, C, H, W) to the maxima of cells; rows and columns left over are dropped."""
    rows, columns = (side // cell * cell for side in x.shape[2:])
    x = reduce(torch.maximum, (x[:, :, k:rows:cell] for k in range(cell)))
    return reduce(torch.maximum, (x[..., k:columns:cell] for k in range(cell)))
