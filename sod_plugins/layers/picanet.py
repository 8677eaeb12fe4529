"""The attention modules of PiCANet.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020.
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.layers.plain_context import LargeConv
from sod_plugins.layers.renet import Order, ReNet
from sod_plugins.ops import (
    attention_conv,
    global_attention_pool,
    local_attention_pool,
    resize_bilinear,
)
from sod_plugins.ops.window import Size, Window, pair

Activation = Literal['softmax', 'sigmoid']
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)


class ContextAttention(nn.Module):
    """Base class of the modules that weight the context of every pixel.

    ``forward(x)`` is ``attend(x, attention(x))``: first the weights, then their use. A subclass
    defines both, and ``out_channels``.
    """

    out_channels: int

    def attention(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to weights (N, K*K, H', W'), channels row by row."""
        raise NotImplementedError

    def attend(self, x: Tensor, weights: Tensor) -> Tensor:
        """Apply weights to the features and return (N, out_channels, H', W')."""
        raise NotImplementedError

    def reach(
        self, pixel: tuple[int, int], size: tuple[int, int]
    ) -> tuple[list[float], list[float]]:
        """Return the K rows and K columns of features (H, W) to which the weights of a pixel apply.

        Weight k belongs to row k div K and column k mod K of them. These may lie outside the map
        (zeros) and, with GAP, between pixels.
        """
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to the attended features only, (N, out_channels, H', W')."""
        return self.attend(x, self.attention(x))


class GlobalAttentionPooling(ContextAttention):
    """GAP (Sec. 3.1): every pixel averages a grid of samples of the whole map by its own weights.

    The weights come from ReNet, a 1x1 convolution, BatchNorm and a softmax over the K*K samples.

    The paper's input is always 28x28, and its grid has rows and columns 0, 3, ..., 27. For other
    sizes, the K samples of each axis are spaced evenly from corner to corner, with bilinear
    interpolation between pixels. They thus always span the map, and any size is accepted; at 28x28
    they *are* the paper's grid. A ``dilation`` instead fixes their distance in pixels, starting at
    the top left corner.

    Args:
        in_channels: Channels C of the features.
        kernel_size: K, the number of samples along each axis; an int or (rows, columns).
        dilation: Distance of the samples; None makes them span the map.
        hidden_channels: Channels of each LSTM of ReNet.
        order: Which axis ReNet scans first, see :class:`ReNet`.
        batch_norm: Whether BatchNorm precedes the softmax, as released.

    Raises:
        ValueError: An argument is not as described, or the input is smaller than the grid of a
            given dilation.
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: Size = 10,
        dilation: Size | None = None,
        *,
        hidden_channels: int = 256,
        order: Order = 'rows_first',
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = pair('kernel_size', kernel_size, 1)
        self.dilation = None if dilation is None else pair('dilation', dilation, 1)
        self.out_channels = in_channels
        self.renet = ReNet(in_channels, hidden_channels, order)
        samples = self.kernel_size[0] * self.kernel_size[1]
        self.logits = nn.Conv2d(self.renet.out_channels, samples, 1)
        self.norm = nn.BatchNorm2d(samples) if batch_norm else nn.Identity()

    def attention(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to weights (N, K*K, H, W) that sum to one at every pixel."""
        logits: Tensor = self.norm(self.logits(self.renet(x)))
        return logits.softmax(1)

    def attend(self, x: Tensor, weights: Tensor) -> Tensor:
        """Average the samples of (N, C, H, W) by weights (N, K*K, P, Q) to (N, C, P, Q)."""
        if self.dilation is None:
            return global_attention_pool(self.sample(x), weights, self.kernel_size, 1)
        return global_attention_pool(x, weights, self.kernel_size, self.dilation)

    def sample(self, x: Tensor) -> Tensor:
        """Return the samples (N, C, K, K) of maps (N, C, H, W) to which the weights apply."""
        if self.dilation is None:
            return resize_bilinear(x, self.kernel_size, align_corners=True)
        rows, columns = (
            d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True)
        )
        return x[:, :, : rows : self.dilation[0], : columns : self.dilation[1]]

    def reach(
        self, pixel: tuple[int, int], size: tuple[int, int]
    ) -> tuple[list[float], list[float]]:
        """Return the rows and columns of the grid, the same for every pixel."""
        steps: tuple[float, ...] = self.dilation or tuple(
            (side - 1) / max(k - 1, 1) for side, k in zip(size, self.kernel_size, strict=True)
        )
        rows, columns = (
            [i * step for i in range(k)] for k, step in zip(self.kernel_size, steps, strict=True)
        )
        return rows, columns


class LocalAttention(nn.Sequential):
    """Weights of every pixel's neighbours (Sec. 5.3): two convolutions, BatchNorm, an activation.

    The first convolution has the window to which the weights apply, so that a pixel sees the
    neighbours that it weights; a ReLU and a 1x1 convolution follow.

    Args:
        in_channels: Channels of the features (N, C, H, W).
        window: Kernel, dilation, stride and padding of the window to which the weights apply.
        hidden_channels: Channels between the two convolutions.
        activation: ``'softmax'`` over the neighbours, or ``'sigmoid'`` for gates.
        batch_norm: Whether BatchNorm precedes the activation.

    Raises:
        ValueError: The activation is unknown.
    """

    def __init__(
        self,
        in_channels: int,
        window: Window,
        hidden_channels: int,
        activation: Activation,
        batch_norm: bool,
    ) -> None:
        super().__init__()
        require_choice('activation', activation, ACTIVATIONS)
        self.conv = AutocastConv2d(
            in_channels,
            hidden_channels,
            window.kernel,
            window.stride,
            window.padding,
            window.dilation,
        )
        self.relu = nn.ReLU(inplace=True)
        self.logits = nn.Conv2d(hidden_channels, window.count, 1)
        if batch_norm:
            self.norm = nn.BatchNorm2d(window.count)
        self.activation = nn.Softmax(1) if activation == 'softmax' else nn.Sigmoid()


class LocalContextAttention(ContextAttention):
    """Base class of the modules whose context is a window around every pixel."""

    window: Window

    def reach(
        self, pixel: tuple[int, int], size: tuple[int, int]
    ) -> tuple[list[float], list[float]]:
        """Return the rows and columns of the window of an output pixel."""
        window = self.window
        rows, columns = (
            [float(stride * at + dilation * i - padding) for i in range(k)]
            for at, k, dilation, stride, padding in zip(
                pixel, window.kernel, window.dilation, window.stride, window.padding, strict=True
            )
        )
        return rows, columns


class LocalAttentionPooling(LocalContextAttention):
    """LAP (Sec. 3.2): every pixel averages its neighbours by its own weights.

    Args:
        in_channels: Channels C of the features.
        kernel_size: K, the number of neighbours along each axis; this and the next two are an int
            or (rows, columns).
        dilation: Distance of the neighbours; the default window covers 13x13 pixels.
        stride: Distance of the outputs.
        hidden_channels: See :class:`LocalAttention`.
        activation: See :class:`LocalAttention`.
        batch_norm: See :class:`LocalAttention`.

    Raises:
        ValueError: An argument is not as described.
    """

    def __init__(
        self,
        in_channels: int,
        kernel_size: Size = 7,
        dilation: Size = 2,
        stride: Size = 1,
        *,
        hidden_channels: int = 128,
        activation: Activation = 'softmax',
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.window = Window.of(kernel_size, dilation, stride, None)
        self.out_channels = in_channels
        self.weigh = LocalAttention(
            in_channels, self.window, hidden_channels, activation, batch_norm
        )

    def attention(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to weights (N, K*K, H', W')."""
        weights: Tensor = self.weigh(x)
        return weights

    def attend(self, x: Tensor, weights: Tensor) -> Tensor:
        """Average neighbours in (N, C, H, W) by weights (N, K*K, H', W') to (N, C, H', W')."""
        window = self.window
        return local_attention_pool(
            x, weights, window.kernel, window.dilation, window.stride, window.padding
        )


class AttentionConv(LocalContextAttention):
    """AC (Sec. 3.3): a convolution whose taps are gated separately at every pixel.

    The paper allows BatchNorm before the sigmoid and does not say whether it is used. It is used
    here, as in LAP.

    Args:
        in_channels: Channels C of the features.
        out_channels: Channels of the output.
        kernel_size: K; this and the next two are an int or (rows, columns).
        dilation: Distance of the taps; the default window covers 13x13 pixels.
        stride: Distance of the outputs.
        groups: Groups of the convolution.
        bias: Whether the convolution has a bias.
        hidden_channels: See :class:`LocalAttention`.
        activation: See :class:`LocalAttention`.
        batch_norm: See :class:`LocalAttention`.

    Raises:
        ValueError: An argument is not as described.
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
        hidden_channels: int = 128,
        activation: Activation = 'sigmoid',
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        self.window = Window.of(kernel_size, dilation, stride, None)
        self.out_channels = out_channels
        self.gate = LocalAttention(
            in_channels, self.window, hidden_channels, activation, batch_norm
        )
        # The convolution that remains if all gates are one.
        self.conv = LargeConv(
            in_channels, out_channels, kernel_size, dilation, stride, groups=groups, bias=bias
        )

    def attention(self, x: Tensor) -> Tensor:
        """Map features (N, C, H, W) to gates (N, K*K, H', W') between 0 and 1."""
        gates: Tensor = self.gate(x)
        return gates

    def attend(self, x: Tensor, weights: Tensor) -> Tensor:
        """Convolve (N, C, H, W) through gates (N, K*K, H', W') to (N, out_channels, H', W')."""
        window, conv = self.window, self.conv
        return attention_conv(
            x,
            weights,
            conv.weight,
            conv.bias,
            window.dilation,
            window.stride,
            window.padding,
            conv.groups,
        )
