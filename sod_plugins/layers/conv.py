"""Convolutions as light-weight networks use them: with normalisation, and depthwise separable."""

from __future__ import annotations

from torch import nn


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
        self.conv = nn.Conv2d(
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
