"""Global context for the coarsest map of a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sod_plugins.layers.conv import ConvNormAct
from sod_plugins.layers.picanet import GlobalAttentionPooling


class GlobalContext(nn.Module):
    """Adds to every pixel its attended features from the whole map: x + f(x, GAP(x)).

    GAP is PiCANet's global attention (Sec. 3.1 of its paper), and f is a 1x1 convolution with
    BatchNorm of both maps, like the fusion in its decoder. A pixel within a large object thus sees
    the outline of the object, however far away.

    Args:
        channels: Channels of the map (N, channels, H, W) and of the output.
        hidden_channels: Channels of each LSTM of the attention.
        kernel_size: Number of samples of the map along each axis.
    """

    def __init__(self, channels: int, hidden_channels: int = 64, kernel_size: int = 7) -> None:
        super().__init__()
        self.attention = GlobalAttentionPooling(
            channels, kernel_size, hidden_channels=hidden_channels
        )
        self.fuse = ConvNormAct(2 * channels, channels, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels, H, W) to the same shape."""
        out: Tensor = x + self.fuse(torch.cat((x, self.attention(x)), 1))
        return out
