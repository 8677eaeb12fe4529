"""CPU inference operators for channels-last maps with few channels.

Torch's own operators loop over the channels of one pixel after another, or over strided pixels.
With the 8 to 20 channels of CSNet's finest scales, this leaves most vector lanes idle. The
operators here read the same memory as fewer and longer rows. Each equals its namesake.
"""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

PART = 2**16  # number of elements that fit into the cache of a core twice


def pointwise_conv(
    x: Tensor, weight: Tensor, bias: Tensor | None, total: Tensor | None = None
) -> Tensor:
    """Convolve with a 1x1 kernel, processing ``g`` neighbouring pixels at a time.

    Args:
        x: Maps (N, C, H, W).
        weight: (g * O, g * C): a block-diagonal matrix of ``g`` copies of the kernel (O, C). The
            number of pixels must be a multiple of ``g``.
        bias: ``g`` copies of the bias (O), or None.
        total: Channels-last maps (N, O, H, W) to which the output, without bias, is added in
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
    """Apply PReLU in place to maps (N, C, H, W) with one slope per channel (C)."""
    rows = x.permute(0, 2, 3, 1)
    if not rows.is_contiguous():
        return x.copy_(F.prelu(x, slopes))
    # Treat a row of pixels as one long row of channels, each with its slope.
    slopes = slopes.expand(x.shape[3], -1).reshape(-1)
    # Part by part: torch has no in-place PReLU, and allocating memory takes longer than the PReLU.
    # A trace fixes the number of parts, so only their size may follow the batch.
    parts = int(x.numel()) // PART + 1
    for part in torch.tensor_split(rows.view(-1, len(slopes)), parts):
        part.copy_(F.prelu(part, slopes))
    return x


def max_pool2d(x: Tensor, cell: int) -> Tensor:
    """Max-pool maps (N, C, H, W) over cells; surplus rows and columns are dropped."""
    rows, columns = (side // cell * cell for side in x.shape[2:])
    x = reduce(torch.maximum, (x[:, :, k:rows:cell] for k in range(cell)))
    return reduce(torch.maximum, (x[..., k:columns:cell] for k in range(cell)))
