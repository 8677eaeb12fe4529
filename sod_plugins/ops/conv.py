"""Convolution with a correct gradient under autocast on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F


def exact_dilation(
    convolve: Callable[..., Tensor], *tensors: Tensor, dilation: int | tuple[int, ...]
) -> Tensor:
    """Call a convolution; if it is dilated, in float32 in spite of autocast on a CPU.

    In torch 2.13 on processors with AVX-512 bf16, the CPU kernel for the weight gradient of dilated
    convolutions fails silently on large channels-last bfloat16 maps, if they have groups
    (including depthwise ones) or channels that are no multiple of 16: the gradient is garbage.

    Args:
        convolve: Maps the tensors to the result.
        tensors: Maps (N, C, H, W), and what else is given to the convolution.
        dilation: Distance of the taps; an int or (rows, columns).

    Returns:
        The result (N, O, H', W'), in the type that autocast gives it.
    """
    dilated = (dilation if isinstance(dilation, int) else max(dilation)) > 1
    on_cpu = tensors[0].device.type == 'cpu'
    if not (dilated and on_cpu and torch.is_autocast_enabled('cpu')):
        return convolve(*tensors)
    with torch.autocast('cpu', enabled=False):
        exact = convolve(*(tensor.float() for tensor in tensors))
    return exact.to(torch.get_autocast_dtype('cpu'))


def conv2d(
    x: Tensor, weight: Tensor, *, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Tensor:
    """Convolve as ``F.conv2d`` does, by :func:`exact_dilation`.

    Args:
        x: Maps (N, C, H, W).
        weight: The kernels (O, C / groups, K, K).
        padding: Zeros at each border.
        dilation: Distance of the taps.
        groups: Groups of the convolution.

    Returns:
        Maps (N, O, H', W'), in the type that ``F.conv2d`` returns.
    """
    convolve = partial(F.conv2d, padding=padding, dilation=dilation, groups=groups)
    return exact_dilation(convolve, x, weight, dilation=dilation)
