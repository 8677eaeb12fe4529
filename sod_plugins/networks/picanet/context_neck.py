"""Attention to context on the maps of any pyramid, as PiCANet has it in SSD.

Paper: Liu, Han and Yang, "PiCANet: Pixel-wise Contextual Attention Learning for Accurate Saliency
Detection", IEEE TIP 2020, Sec. 5.6.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers import AttentionConv, GlobalAttentionPooling, LocalAttentionPooling
from sod_plugins.networks.picanet.ssd import WithContext

Context = Literal['none', 'AC', 'LAP', 'GAP']
CONTEXTS = ('none', 'AC', 'LAP', 'GAP')


class PiCANetContextNeck(nn.Module):
    """Maps that attend to their context and keep their channels, so that any head fits.

    In the paper's SSD, LAP's or GAP's result is concatenated behind the map, as the input of the
    head. Here a 1x1 convolution brings both back to the channels of the map, because the heads of
    a feature pyramid share their weights between levels. AC with a ReLU takes the map's place.

    Args:
        in_channels: Channels of each map.
        contexts: The context of each map; ``'none'`` leaves it as it is.
        kernel_size: Side of the windows of AC and LAP.
        dilation: Their dilation.
        gap_size: Side of the grid of GAP, in cells of the map.
        hidden_channels: Channels between the two convolutions that make local attention.
        renet_channels: Channels of each LSTM of GAP.

    Raises:
        ValueError: There is no such context, or not one for each map.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        contexts: Sequence[Context],
        *,
        kernel_size: int = 7,
        dilation: int = 2,
        gap_size: int = 10,
        hidden_channels: int = 128,
        renet_channels: int = 256,
    ) -> None:
        super().__init__()
        if len(contexts) != len(in_channels):
            raise ValueError(
                f'contexts needs {len(in_channels)} entries, one per map, got {tuple(contexts)}.'
            )
        self.levels = nn.ModuleList()
        for channels, context in zip(in_channels, contexts, strict=True):
            require_choice('contexts', context, CONTEXTS)
            window = (kernel_size, dilation)
            if context == 'none':
                level: nn.Module = nn.Identity()
            elif context == 'AC':
                level = nn.Sequential(
                    AttentionConv(channels, channels, *window, hidden_channels=hidden_channels),
                    nn.ReLU(inplace=True),
                )
            elif context == 'LAP':
                level = _beside(
                    channels,
                    LocalAttentionPooling(channels, *window, hidden_channels=hidden_channels),
                )
            else:
                level = _beside(
                    channels,
                    GlobalAttentionPooling(channels, gap_size, hidden_channels=renet_channels),
                )
            self.levels.append(level)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map (N, C_i, H_i, W_i) to maps of the same shapes."""
        return tuple(level(x) for level, x in zip(self.levels, maps, strict=True))


def _beside(
    channels: int, context: LocalAttentionPooling | GlobalAttentionPooling
) -> nn.Sequential:
    """Concatenate a context behind its map, and bring both to the channels of the map."""
    both = WithContext(channels, context)
    return nn.Sequential(both, nn.Conv2d(both.out_channels, channels, 1))
