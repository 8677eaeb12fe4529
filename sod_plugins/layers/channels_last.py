"""Inference layers that process channels-last maps of few channels row by row on a CPU."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.ops.octave_conv.rows import pointwise_conv, prelu_

Implementation = Literal['auto', 'rows', 'reference']
IMPLEMENTATIONS: tuple[Implementation, ...] = get_args(Implementation)
LANES = 16  # float32 lanes of the widest vector register


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution that processes two pixels at once on a CPU.

    It does so if the output channels of one pixel would leave vector lanes idle.

    Args:
        weight: Kernel (O, C, 1, 1).
        bias: Bias (O), or None.
        implementation: See :func:`reads_rows`.

    Raises:
        ValueError: There is no such implementation.
    """

    def __init__(
        self, weight: Tensor, bias: Tensor | None, implementation: Implementation = 'auto'
    ) -> None:
        out, columns, _, _ = weight.shape
        super().__init__(columns, out, 1, bias=bias is not None)
        self.implementation = require_choice('implementation', implementation, IMPLEMENTATIONS)
        self.weight = nn.Parameter(weight.detach().clone())
        if bias is not None:
            self.bias = nn.Parameter(bias.detach().clone())
        self.pixels = 2 if out < LANES else 1
        diagonal = torch.eye(self.pixels).to(weight)
        self.register_buffer('block', torch.kron(diagonal, self.weight.detach()[:, :, 0, 0]))
        shift = None if bias is None else bias.detach().repeat(self.pixels)
        self.register_buffer('shift', shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, O, H, W)."""
        if self._in_rows(x):
            shift = None if self.bias is None else self.get_buffer('shift')
            return pointwise_conv(x, self.get_buffer('block'), shift)
        return super().forward(x)

    def add_to(self, total: Tensor, x: Tensor) -> Tensor:
        """Add the output for maps (N, C, H, W) to others (N, O, H, W) in place."""
        channels_last = total.is_contiguous(memory_format=torch.channels_last)
        if self.bias is None and channels_last and self._in_rows(x):
            return pointwise_conv(x, self.get_buffer('block'), None, total)
        return total.add_(self(x))

    def _in_rows(self, x: Tensor) -> bool:
        # Pixels of one image, because its result must not depend on the batch size.
        return reads_rows(x, self.implementation) and x.shape[2] * x.shape[3] % self.pixels == 0


class ChannelsLastPReLU(nn.PReLU):
    """A PReLU with one slope per channel, for inference; it works in place on a CPU.

    Args:
        layer: The PReLU, with which it shares its slopes.
        implementation: See :func:`reads_rows`.

    Raises:
        ValueError: There is no such implementation.
    """

    def __init__(self, layer: nn.PReLU, implementation: Implementation = 'auto') -> None:
        super().__init__(layer.num_parameters)
        self.implementation = require_choice('implementation', implementation, IMPLEMENTATIONS)
        self.weight = layer.weight

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return prelu_(x, self.weight) if reads_rows(x, self.implementation) else super().forward(x)


def reads_rows(x: Tensor, implementation: Implementation) -> bool:
    """Return whether maps go through the operators of ``sod_plugins.ops.octave_conv.rows``.

    Args:
        x: The maps.
        implementation: ``'rows'``: always, which rules out gradients. ``'reference'``: never, as
            exporters need it. ``'auto'``: on a CPU, unless gradients are recorded or the network is
            exported.
    """
    if implementation != 'auto':
        return implementation == 'rows'
    plain = torch.is_grad_enabled() or torch.compiler.is_exporting()
    return x.device.type == 'cpu' and not plain
