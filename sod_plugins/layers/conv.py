"""Convolutions as light-weight networks use them: with normalisation, and depthwise separable."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AutocastConv2d(nn.Conv2d):
    """A convolution whose gradient is right in any autocast; elsewhere it is ``nn.Conv2d``.

    The CPU kernel (torch 2.13, processors with AVX-512 bf16) for the weight gradient of a dilated
    convolution in groups, depthwise ones included, goes wrong where large maps are bfloat16 and
    channels-last: the gradient is garbage, and nothing says so. Such convolutions therefore step
    out of a CPU's autocast, compute in float32 and return the autocast's type.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, O, H', W')."""
        concerned = self.groups > 1 and max(self.dilation) > 1 and x.device.type == 'cpu'
        if not concerned or not torch.is_autocast_enabled('cpu'):
            return super().forward(x)
        with torch.autocast('cpu', enabled=False):
            exact = super().forward(x.float())
        return exact.to(torch.get_autocast_dtype('cpu'))


class ConvNormAct(nn.Sequential):
    """Convolution without bias, BatchNorm, ReLU; the padding keeps the size, up to the stride.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel, odd.
        stride: Stride of the convolution.
        dilation: Its dilation.
        groups: Its groups.
        act: Whether the ReLU is there.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        *,
        stride: int = 1,
        dilation: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        self.conv = AutocastConv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size // 2),
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.norm = nn.BatchNorm2d(out_channels)
        if act:
            self.act = nn.ReLU(inplace=True)


class DepthwiseSeparableConv(nn.Sequential):
    """Dilated depthwise separable convolution ("DSConv", Sec. III-A of the SAMNet paper).

    A depthwise convolution and a 1x1 convolution, each with BatchNorm and ReLU.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output.
        kernel_size: Side of the depthwise kernel, odd.
        stride: Stride of the depthwise convolution.
        dilation: Its dilation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.depthwise = ConvNormAct(
            in_channels,
            in_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=in_channels,
        )
        self.pointwise = ConvNormAct(in_channels, out_channels)
