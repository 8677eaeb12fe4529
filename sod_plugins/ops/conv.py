"""Convolution with a correct gradient under autocast on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def leaves_autocast(x: Tensor, dilation: int | tuple[int, ...]) -> bool:
    """Return whether a convolution of ``x`` must compute in float32 in spite of autocast.

    In torch 2.13 on processors with AVX-512 bf16, the CPU kernel for the weight gradient of dilated
    convolutions fails silently on large channels-last bfloat16 maps, if they have groups
    (including depthwise ones) or channels that are no multiple of 16: the gradient is garbage.
    """
    farthest = dilation if isinstance(dilation, int) else max(dilation)
    return farthest > 1 and x.device.type == 'cpu' and torch.is_autocast_enabled('cpu')


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve as ``F.conv2d`` does; under CPU autocast, dilated ones compute in float32.

    Args:
        x: Maps (N, C, H, W).
        weight: The kernels (O, C / groups, K, K).
        bias: Bias (O).
        padding: Zeros at each border.
        dilation: Distance of the taps.
        groups: Groups of the convolution.

    Returns:
        Maps (N, O, H', W'), in the type that ``F.conv2d`` returns.
    """
    if not leaves_autocast(x, dilation):
        return F.conv2d(x, weight, bias, 1, padding, dilation, groups)
    with torch.autocast('cpu', enabled=False):
        bias = None if bias is None else bias.float()
        exact = F.conv2d(x.float(), weight.float(), bias, 1, padding, dilation, groups)
    return exact.to(torch.get_autocast_dtype('cpu'))
