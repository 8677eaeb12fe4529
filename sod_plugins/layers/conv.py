"""Convolutions of lightweight networks: with normalisation, and depthwise separable."""

from __future__ import annotations

from torch import Tensor, nn

from sod_plugins.ops.conv import exact_dilation


class AutocastConv2d(nn.Conv2d):
    """A convolution with a correct gradient under autocast; otherwise identical to ``nn.Conv2d``.

    On a CPU, dilated ones compute in float32 and return the type of autocast: see
    :func:`sod_plugins.ops.conv.exact_dilation`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, O, H', W')."""
        return exact_dilation(super().forward, x, dilation=self.dilation)


class ConvNormAct(nn.Sequential):
    """Convolution without bias, BatchNorm and ReLU, with "same" padding.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel, odd.
        stride: Stride of the convolution.
        dilation: Dilation of the convolution.
        groups: Groups of the convolution.
        act: Whether to include the ReLU.
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

    It consists of a depthwise and a 1x1 convolution, each with BatchNorm and ReLU.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output.
        kernel_size: Side of the depthwise kernel, odd.
        stride: Stride of the depthwise convolution.
        dilation: Dilation of the depthwise kernel.
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
