"""Contextual attention: pooling and convolution with pixel-wise weights (PiCANet)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.ops._context_functions import (
    GatedConv,
    LocalPool,
    compute_dtype,
    memory_format,
)
from sod_plugins.ops.window import Size, Window, pair

Implementation = Literal['auto', 'fused', 'reference']
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)
SMALL = 2**18  # unfolded elements, below which the number of operations counts more than memory


def global_attention_pool(
    features: Tensor, weights: Tensor, kernel_size: Size = 10, dilation: Size = 3
) -> Tensor:
    """Average a fixed grid of samples by the weights of every pixel (Liu et al., Eq. 2).

    The grid is anchored at the top left corner and is the same for all pixels. Channel k of the
    weights belongs to the sample at row ``dilation * (k div K)`` and column
    ``dilation * (k mod K)``. With the defaults, the grid covers a map of 28 x 28.

    Args:
        features: F, (N, C, H, W).
        weights: alpha, (N, K*K, P, Q), normalised over the channels by the caller; P and Q may
            differ from H and W.
        kernel_size: K, the number of samples along each axis; an int or (rows, columns).
        dilation: Distance of the samples; an int or (rows, columns).

    Returns:
        The attended features, (N, C, P, Q), in the dtype of the features.

    Raises:
        ValueError: A sample lies outside the features, or shapes do not match.
    """
    kernel, steps = pair('kernel_size', kernel_size, 1), pair('dilation', dilation, 1)
    _check_maps('features', features)
    last = [d * (k - 1) for k, d in zip(kernel, steps, strict=True)]
    height, width = features.shape[2:]
    if last[0] >= height or last[1] >= width:
        raise ValueError(
            f'The last sample of kernel_size {kernel} with dilation {steps} lies at row {last[0]}, '
            f'column {last[1]}, outside features of {height} x {width}: give a smaller kernel_size '
            'or dilation, or larger features.'
        )
    _check_weights('weights', weights, features, kernel[0] * kernel[1], None)
    same = features.dtype == weights.dtype
    dtype = features.dtype if same else compute_dtype(features, weights)
    samples = features[:, :, : last[0] + 1 : steps[0], : last[1] + 1 : steps[1]].flatten(2)
    out = samples.to(dtype) @ weights.flatten(2).to(dtype)
    out = out.view(*out.shape[:2], *weights.shape[2:]).to(features.dtype)
    return out.contiguous(memory_format=memory_format(features))


def local_attention_pool(
    features: Tensor,
    weights: Tensor,
    kernel_size: Size,
    dilation: Size = 1,
    stride: Size = 1,
    padding: Size | None = None,
    implementation: Implementation = 'auto',
) -> Tensor:
    """Average the neighbours of every pixel by its own weights (Liu et al., Eq. 3).

    Channel k of the weights belongs to the neighbour at row ``dilation * (k div K) - padding`` and
    column ``dilation * (k mod K) - padding``, relative to ``stride`` times the output position.
    Neighbours outside the map are zeros, whatever their weight.

    Args:
        features: F, (N, C, H, W).
        weights: alpha, (N, K*K, H', W'), normalised over the channels by the caller.
        kernel_size: K; this and the following sizes are an int or (rows, columns).
        dilation: Distance of the neighbours.
        stride: Distance of the outputs.
        padding: Zeros at each border; None means dilation * (K - 1) / 2.
        implementation: ``'fused'`` iterates over shifted views of the features and stores no
            unfolded tensor. It is differentiable once; compilers and exporters see standard
            operators instead, which process one row of taps at a time with K copies of the
            features. ``'reference'`` unfolds, with K*K copies. ``'auto'`` is fused for all but tiny
            maps.

    Returns:
        The attended features, (N, C, H', W'), in the dtype of the features; half precision is
        accumulated in float32.

    Raises:
        ValueError: Shapes do not match, the window does not fit into the padded features, or the
            implementation is unknown.
    """
    window = Window.of(kernel_size, dilation, stride, padding)
    _check_maps('features', features)
    size = window.output_size(features)
    _check_weights('weights', weights, features, window.count, size)
    chosen = _choose(implementation, features, window)
    if chosen == 'fused':
        fused: Tensor = LocalPool.apply(features, weights, window)  # type: ignore[no-untyped-call]
        return fused
    dtype = compute_dtype(features, weights)
    if chosen == 'reference':
        columns = _unfold(features.to(dtype), window)
        out = (columns * weights.flatten(2)[:, None]).sum(2).view(*features.shape[:2], *size)
    else:
        rows = zip(window.rows(features.to(dtype), size), _rows(weights, window), strict=True)
        out = _sum((taps * weight).sum(2) for taps, weight in rows)
    return out.to(features.dtype)


def attention_conv(
    features: Tensor,
    gates: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    dilation: Size = 1,
    stride: Size = 1,
    padding: Size | None = None,
    groups: int = 1,
    implementation: Implementation = 'auto',
) -> Tensor:
    """Convolve, with a gate for every pixel and tap applied to the input (Liu et al., Eq. 5).

    A gate is shared by all input and output channels. With all gates one this is ``F.conv2d``.

    Args:
        features: F, (N, C, H, W).
        gates: g, (N, K*K, H', W'), after the sigmoid; channel k is the tap at row k div K and
            column k mod K of the weight.
        weight: W, (O, C / groups, K, K).
        bias: b, (O,).
        dilation: Distance of the taps; this and the following sizes are an int or (rows, columns).
        stride: Distance of the outputs.
        padding: Zeros at each border; None means dilation * (K - 1) / 2.
        groups: Groups of the convolution.
        implementation: As in :func:`local_attention_pool`.

    Returns:
        The output, (N, O, H', W'), in the dtype of the features or, under autocast, in that of
        autocast; half precision is accumulated in float32.

    Raises:
        ValueError: Shapes do not match, the window does not fit into the padded features, or the
            implementation is unknown.
    """
    _check_maps('features', features)
    _check_convolution(features, weight, bias, groups)
    window = Window.of((weight.shape[2], weight.shape[3]), dilation, stride, padding)
    size = window.output_size(features)
    _check_weights('gates', gates, features, window.count, size)
    chosen = _choose(implementation, features, window)
    device = features.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        features = features.to(torch.get_autocast_dtype(device))
    if chosen == 'fused':
        fused: Tensor = GatedConv.apply(features, gates, weight, bias, window, groups)  # type: ignore[no-untyped-call]
        return fused
    dtype = compute_dtype(features, gates, weight)
    if chosen == 'reference':
        gated = _unfold(features.to(dtype), window) * gates.flatten(2)[:, None]
        n, rows, columns = len(gated), len(weight) // groups, weight[0].numel()
        matrices = weight.to(dtype).reshape(groups, rows, columns)
        out = matrices @ gated.view(n, groups, columns, size[0] * size[1])
        out = out.view(n, len(weight), *size)
    else:
        out = _sum(
            F.conv2d((taps * gate).flatten(1, 2), row.flatten(1)[..., None, None], groups=groups)
            for taps, gate, row in zip(
                window.rows(features.to(dtype), size),
                _rows(gates, window),
                weight.to(dtype).unbind(2),
                strict=True,
            )
        )
    return (out if bias is None else out + bias[:, None, None]).to(features.dtype)


def _choose(implementation: Implementation, features: Tensor, window: Window) -> str:
    """Return 'fused', 'reference', or 'traced': row by row in standard operators."""
    require_choice('implementation', implementation, IMPLEMENTATIONS)
    if implementation == 'reference':
        return implementation
    if torch.compiler.is_compiling():
        return 'traced'
    if implementation == 'auto' and features.numel() * window.count < SMALL:
        return 'reference'
    return 'fused'


def _unfold(features: Tensor, window: Window) -> Tensor:
    """Return all neighbours of all outputs, (N, C, K*K, H'*W')."""
    columns = F.unfold(features, window.kernel, window.dilation, window.padding, window.stride)
    return columns.view(*features.shape[:2], window.count, columns.shape[2])


def _rows(weights: Tensor, window: Window) -> tuple[Tensor, ...]:
    """Return the weights of each row of taps, (N, 1, K, H', W')."""
    return weights.view(weights.shape[0], 1, *window.kernel, *weights.shape[2:]).unbind(2)


def _sum(terms: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, terms)


def _check_maps(name: str, x: Tensor) -> None:
    """Check for a batch of floating-point maps."""
    if x.dim() != 4 or not x.is_floating_point():
        raise ValueError(
            f'{name} must be a floating point tensor with 4 dimensions, got {x.dtype} of shape '
            f'{tuple(x.shape)}.'
        )


def _check_weights(
    name: str, weights: Tensor, features: Tensor, count: int, size: tuple[int, int] | None
) -> None:
    """Check that the weights give every output one weight per tap."""
    _check_maps(name, weights)
    expected = (features.shape[0], count, *(size or weights.shape[2:]))
    if weights.shape != expected:
        raise ValueError(
            f'{name} must have shape {tuple(expected)}, one channel per tap, for features of shape '
            f'{tuple(features.shape)}, got {tuple(weights.shape)}.'
        )


def _check_convolution(features: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    """Check that the weights of a convolution match the features."""
    _check_maps('weight', weight)
    channels, outputs = features.shape[1], len(weight)
    if groups < 1 or channels % groups or outputs % groups:
        raise ValueError(
            f'groups must divide the {channels} channels of features and the {outputs} of weight, '
            f'got {groups}.'
        )
    if weight.shape[1] != channels // groups:
        raise ValueError(
            f'weight must have shape ({outputs}, {channels // groups}, K, K) for features of '
            f'{channels} channels in {groups} groups, got {tuple(weight.shape)}.'
        )
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f'bias must have shape ({outputs},), got {tuple(bias.shape)}.')
