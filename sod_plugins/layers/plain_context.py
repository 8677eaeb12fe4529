"""The plain layers to which PiCANet's paper compares its attention modules.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.ops.window import Size, Window

Mode = Literal['average', 'max']
MODES: tuple[Mode, ...] = get_args(Mode)


class LargeConv(AutocastConv2d):
    """LC (Sec. 5.4): an ordinary convolution with the window of :class:`AttentionConv`.

    Args:
        in_channels: Channels C of the features.
        out_channels: Channels of the output (N, out_channels, H', W').
        kernel_size: K; this and the next two are an int or (rows, columns).
        dilation: Distance of the taps.
        stride: Distance of the outputs.
        groups: Groups of the convolution.
        bias: Whether the convolution has a bias.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = 7,
        dilation: Size = 2,
        stride: Size = 1,
        *,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        window = Window.of(kernel_size, dilation, stride, None)
        super().__init__(
            in_channels,
            out_channels,
            window.kernel,
            window.stride,
            window.padding,
            window.dilation,
            groups,
            bias,
        )


class GlobalPooling(nn.Module):
    """The mean or maximum of each channel at every pixel: GAP without attention (Sec. 5.4).

    Args:
        in_channels: Channels C of the features.
        mode: ``'average'`` or ``'max'``.

    Raises:
        ValueError: The mode is unknown.
    """

    def __init__(self, in_channels: int, mode: Mode = 'average') -> None:
        super().__init__()
        _check_mode(mode)
        self.out_channels = in_channels
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to constant maps of the same size."""
        pooled = x.mean((2, 3), True) if self.mode == 'average' else x.amax((2, 3), True)
        return pooled.expand_as(x)


class LocalPooling(nn.Module):
    """The mean or maximum of every pixel's neighbours: LAP without attention (Sec. 5.4).

    As in LAP, neighbours outside the map count as zeros in a mean; a maximum ignores them.

    Args:
        in_channels: Channels C of the features.
        kernel_size: K, the odd number of neighbours along each axis.
        dilation: Distance of the neighbours; defaults as in :class:`LocalAttentionPooling`.
        mode: ``'average'`` or ``'max'``.

    Raises:
        ValueError: The mode is unknown.
    """

    def __init__(
        self, in_channels: int, kernel_size: int = 7, dilation: int = 2, mode: Mode = 'average'
    ) -> None:
        super().__init__()
        _check_mode(mode)
        self.out_channels = in_channels
        self.kernel_size, self.dilation, self.mode = kernel_size, dilation, mode

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to (N, C, H, W)."""
        k, d = self.kernel_size, self.dilation
        reach = d * (k - 1) // 2
        if self.mode == 'max':
            padded = F.pad(x, [reach] * 4, value=float('-inf'))
            return F.max_pool2d(padded, k, 1, 0, d)
        channels = x.shape[1]
        weight = x.new_full((channels, 1, k, 1), 1 / k)
        rows = F.conv2d(x, weight, None, 1, (reach, 0), d, channels)
        return F.conv2d(rows, weight.mT, None, 1, (0, reach), d, channels)


def _check_mode(mode: Mode) -> None:
    require_choice('mode', mode, MODES)
