"""Layers of inference that read channels-last maps of few channels by rows on a CPU."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sod_plugins.ops.channels_last import pointwise_conv, prelu_

LANES = 16  # of float32 in the widest vector


class PointwiseConv(nn.Conv2d):
    """A 1x1 convolution that takes two pixels at once on a CPU if its outputs leave lanes idle.

    Args:
        weight: Kernel (O, C, 1, 1).
        bias: Bias (O), or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        out, columns, _, _ = weight.shape
        super().__init__(columns, out, 1, bias=bias is not None)
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
        """Add what becomes of maps (N, C, H, W) to others (N, O, H, W), which are overwritten."""
        channels_last = total.is_contiguous(memory_format=torch.channels_last)
        if self.bias is None and channels_last and self._in_rows(x):
            return pointwise_conv(x, self.get_buffer('block'), None, total)
        return total.add_(self(x))

    def _in_rows(self, x: Tensor) -> bool:
        # Of one image, as none should depend on the batch it comes in.
        return reads_rows(x) and x.shape[2] * x.shape[3] % self.pixels == 0


class ChannelsLastPReLU(nn.PReLU):
    """The function of a PReLU with a slope for each channel; on a CPU, without gradients, in place.

    Args:
        layer: The PReLU, whose slopes are shared.
    """

    def __init__(self, layer: nn.PReLU) -> None:
        super().__init__(layer.num_parameters)
        self.weight = layer.weight

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        return prelu_(x, self.weight) if reads_rows(x) else super().forward(x)


def reads_rows(x: Tensor) -> bool:
    """Whether to use the operators for channels-last maps: exporters and gradients want others."""
    plain = torch.is_grad_enabled() or torch.compiler.is_exporting()
    return x.device.type == 'cpu' and not plain
