"""Local attention tap by tap: autograd functions that never store an unfolded tensor.

Every tap of the window is a shifted view of the padded map. The forward and backward passes iterate
over the taps, so the memory that they need besides inputs, outputs and gradients does not grow with
the number of taps. Half precision is accumulated in float32. Autocast does not interfere, because
it ignores operators that write in place or to an ``out``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sod_plugins.ops.window import Window

BLOCK = 2**19  # elements of a map whose copies still fit into the cache of a CPU


def compute_dtype(*tensors: Tensor) -> torch.dtype:
    """Return the common dtype of floating point tensors, at least float32."""
    double = any(x.dtype == torch.float64 for x in tensors)
    return torch.float64 if double else torch.float32


def memory_format(x: Tensor) -> torch.memory_format:
    """Return channels-last only if a tensor is stored that way and in no other."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


class LocalPool(torch.autograd.Function):
    """Eq. 3: the sum over taps k of weights[:, k] * features shifted to tap k."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor, window: Window) -> Tensor:
        ctx.save_for_backward(features, weights)
        ctx.window = window
        frame = _Frame(window, features, weights)
        out = torch.empty(
            (*features.shape[:2], *frame.size),
            dtype=features.dtype,
            device=features.device,
            memory_format=memory_format(features),
        )
        for n, c in frame.blocks():
            padded = frame.pad(features[n, c])
            total = frame.spread(out[n, c].shape[:2])
            weight = frame.spread((total.shape[0], 1))
            for k, view in enumerate(frame.views(padded)):
                frame.results(weight).copy_(weights[n, k : k + 1])
                total.addcmul_(view, weight)
            out[n, c] = frame.results(total)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        features, weights = ctx.saved_tensors
        frame = _Frame(ctx.window, features, weights)
        of_features = torch.empty_like(features) if ctx.needs_input_grad[0] else None
        of_weights = torch.zeros_like(weights) if ctx.needs_input_grad[1] else None
        for n, c in frame.blocks():
            g = frame.spread(grad[n, c].shape[:2])
            frame.results(g).copy_(grad[n, c])
            if of_features is not None:
                of_features[n, c] = _gather(frame, g, weights[n])
            if of_weights is not None:
                _correlate(frame, g, features[n, c], of_weights[n])
        return of_features, of_weights, None


def _gather(frame: _Frame, grad: Tensor, weights: Tensor) -> Tensor:
    """Return the gradient of a block of features: the sum over all outputs that saw each pixel."""
    padded = frame.canvas(grad.shape[:2])
    weight = frame.spread((len(grad), 1))
    for k, view in enumerate(frame.views(padded)):
        frame.results(weight).copy_(weights[:, k : k + 1])
        view.addcmul_(grad, weight)
    return frame.features(padded)


def _correlate(frame: _Frame, grad: Tensor, features: Tensor, of_weights: Tensor) -> None:
    """Add the contribution of a block of features to the gradient of the weights."""
    product = torch.empty_like(grad)
    for k, view in enumerate(frame.views(frame.pad(features))):
        torch.mul(grad, view, out=product)
        of_weights[:, k] += frame.results(product.sum(1))


class GatedConv(torch.autograd.Function):
    """Eq. 5: a convolution whose input at tap k is multiplied by gates[:, k].

    It computes one matrix product per sample and tap: the tap's weights times the gated features.
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        gates: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        window: Window,
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(features, gates, weight, bias)
        ctx.window, ctx.groups = window, groups
        dtype = compute_dtype(features, gates, weight)
        size = window.output_size(features)
        out = torch.empty(
            (len(features), len(weight), *size),
            dtype=features.dtype,
            device=features.device,
            memory_format=memory_format(features),
        )
        taps = _taps(weight, groups)
        for n, sample in enumerate(features):
            padded = window.pad(sample.to(dtype)).contiguous()
            total = torch.zeros(out.shape[1:], dtype=dtype, device=out.device)
            if bias is not None:
                total += bias[:, None, None]
            gated = padded.new_empty(len(sample), *size)
            for k, view in enumerate(window.views(padded, size)):
                torch.mul(view, gates[n, k], out=gated)
                _grouped(total, groups).baddbmm_(taps[k].to(dtype), _grouped(gated, groups))
            out[n] = total
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        features, gates, weight, bias = ctx.saved_tensors
        window, groups, size = ctx.window, ctx.groups, grad.shape[2:]
        dtype = compute_dtype(features, gates, weight)
        of_features, of_gates = torch.empty_like(features), torch.empty_like(gates)
        of_weight = torch.zeros_like(weight, dtype=dtype)
        taps, of_taps = _taps(weight, groups), _taps(of_weight, groups)
        for n, sample in enumerate(features):
            padded = window.pad(sample.to(dtype)).contiguous()
            of_padded = torch.zeros_like(padded)
            g = _grouped(grad[n].to(dtype).contiguous(), groups)
            of_gated = padded.new_empty(len(sample), *size)
            product = torch.empty_like(of_gated)
            views = zip(window.views(padded, size), window.views(of_padded, size), strict=True)
            for k, (view, of_view) in enumerate(views):
                if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
                    torch.bmm(taps[k].to(dtype).mT, g, out=_grouped(of_gated, groups))
                    of_view.addcmul_(of_gated, gates[n, k].to(dtype))
                    of_gates[n, k] = torch.mul(view, of_gated, out=product).sum(0)
                if ctx.needs_input_grad[2]:
                    torch.mul(view, gates[n, k], out=product)
                    of_taps[k].baddbmm_(g, _grouped(product, groups).mT)
            of_features[n] = window.crop(of_padded, features.shape[2:])
        of_bias = None if bias is None else grad.sum((0, 2, 3), dtype=dtype).to(bias.dtype)
        return of_features, of_gates, of_weight.to(weight.dtype), of_bias, None, None


def _taps(weight: Tensor, groups: int) -> list[Tensor]:
    """Return views (groups, O/groups, C/groups) of a convolution's weight, one per tap."""
    return [x.view(groups, -1, x.shape[1]) for row in weight.unbind(2) for x in row.unbind(2)]


def _grouped(x: Tensor, groups: int) -> Tensor:
    """Return the view (groups, C/groups, P) of a map (C, H, W)."""
    return x.view(groups, -1, x.shape[1] * x.shape[2])


class _Frame:
    """A window on feature maps, in a layout whose shifts are long runs of memory.

    At stride 1, output maps get rows as long as those of the padded features. All shifts of the
    features then have the strides of the output, and operators process a whole map as one run
    instead of row by row. The surplus columns are zero in gradients and weights, and are cut off.
    """

    def __init__(self, window: Window, features: Tensor, weights: Tensor) -> None:
        self.window = window
        self.dtype = compute_dtype(features, weights)
        self.device = features.device
        self.samples, self.channels = features.shape[:2]
        self.map = height, width = features.shape[2:]
        self.size = window.output_size(features)
        # The last shift of the longer rows runs past the end, hence one more row.
        self.rows = height + 2 * window.padding[0] + 1
        self.columns = width + 2 * window.padding[1]
        self.pitch = self.columns if window.stride == (1, 1) else self.size[1]
        self.summed_in_blocks = weights.dtype == self.dtype

    def blocks(self) -> Iterator[tuple[slice, slice]]:
        """Iterate over samples and channels: all at once on a GPU, in cache-sized blocks on a CPU.

        The gradient of half-precision weights is rounded once, so it needs all channels together.
        """
        if not self.samples * self.channels:
            return
        if self.device.type != 'cpu':
            yield slice(None), slice(None)
            return
        step = max(1, BLOCK // (self.rows * self.columns)) if self.summed_in_blocks else None
        for n in range(self.samples):
            for c in range(0, self.channels, step or self.channels):
                yield slice(n, n + 1), slice(c, c + (step or self.channels))

    def _zeros(self, *size: int) -> Tensor:
        return torch.zeros(size, dtype=self.dtype, device=self.device)

    def canvas(self, maps: tuple[int, int] | torch.Size) -> Tensor:
        """Return zeros for maps (n, c) of padded features."""
        return self._zeros(*maps, self.rows, self.columns)

    def pad(self, features: Tensor) -> Tensor:
        """Return features (n, c, H, W) with zeros around them."""
        padded = self.canvas(features.shape[:2])
        self.features(padded).copy_(features)
        return padded

    def features(self, padded: Tensor) -> Tensor:
        """Return the view of the unpadded features in a padded map."""
        return self.window.crop(padded, self.map)

    def views(self, padded: Tensor) -> Iterator[Tensor]:
        """Iterate over the taps: views (n, c, H', pitch) of a padded map."""
        down, right = self.window.stride
        strides = (*padded.stride()[:2], down * self.columns, right)
        for row, column in self.window.offsets():
            yield padded.as_strided(
                (*padded.shape[:2], self.size[0], self.pitch), strides, row * self.columns + column
            )

    def spread(self, maps: tuple[int, int] | torch.Size) -> Tensor:
        """Return zeros for output maps (n, c), (n, c, H', pitch)."""
        return self._zeros(*maps, self.size[0], self.pitch)

    def results(self, x: Tensor) -> Tensor:
        """Return the view without the surplus columns."""
        return x[..., : self.size[1]]
