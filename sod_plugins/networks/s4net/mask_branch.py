"""The segmentation branches that S4Net's paper compares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.networks.s4net.fpn import init_convs

Kind = Literal['dilated', 'plain']


@records_arguments
class S4NetMaskBranch(nn.Module):
    """Segmentation branch (Sec. 3.5, Fig. 2): features of a region to logits of its mask.

    ``'dilated'`` is the paper's own, Fig. 2(c): max pooling, a residual pair of convolutions, max
    pooling, a convolution of dilation 2, a residual pair and the predictor. All convolutions are
    3x3 with a ReLU, no ReLU follows a residual sum, and pooling is 3x3 at stride 1, so the map
    keeps its size. ``'plain'``, Mask R-CNN's of Fig. 2(b), has the same convolutions in a row,
    without pooling, shortcuts and dilation, "with the same number of parameters".

    The features have 256 channels (from the 1x1 convolution before RoIMasking), and "the first
    three" convolutions have 128, so one leads into the first residual pair. In the released code
    this one is before RoIMasking: with features of ``channels[0]`` there is no such convolution.

    Args:
        in_channels: Channels of the features (K, in_channels, h, w).
        channels: Channels before and after the second pooling.
        kind: ``'dilated'`` or ``'plain'``.
        num_logits: 1, or 2 for logits of background and foreground, as released.
        relu_logits: Whether a ReLU also follows the predictor, as released by accident.
        init_std: Standard deviation of the initial weights; None means He's initialisation. The
            release has 0.01.

    Raises:
        ValueError: The kind is unknown, or ``num_logits`` is invalid.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: Sequence[int] = (128, 64),
        *,
        kind: Kind = 'dilated',
        num_logits: int = 1,
        relu_logits: bool = False,
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        require_choice('kind', kind, get_args(Kind))
        if num_logits not in (1, 2) or (relu_logits and num_logits == 1):
            raise ValueError(
                f'num_logits must be 1 or 2, and 2 with relu_logits, got {num_logits}.'
            )
        wide, narrow = channels
        dilated = kind == 'dilated'
        self.dilated, self.relu_logits = dilated, relu_logits
        entry = nn.Identity() if in_channels == wide else _conv(in_channels, wide)
        self.entry: nn.Module = entry
        self.first = nn.Sequential(_conv(wide, wide), _conv(wide, wide))
        self.middle = _conv(wide, narrow, 2 if dilated else 1)
        self.second = nn.Sequential(_conv(narrow, narrow), _conv(narrow, narrow))
        self.predict = nn.Conv2d(narrow, num_logits, 3, padding=1)
        init_convs(self, init_std)
        if init_std is None:
            nn.init.normal_(self.predict.weight, std=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (K, in_channels, h, w) to logits (K, 1, h, w)."""
        x = self.entry(features)
        if self.dilated:
            x = _pool(x)
            x = _pool(x + self.first(x))
            x = self.middle(x)
            x = x + self.second(x)
        else:
            x = self.second(self.middle(self.first(x)))
        logits: Tensor = self.predict(x)
        if self.relu_logits:
            logits = logits.relu()
        return logits if logits.shape[1] == 1 else logits[:, 1:] - logits[:, :1]


def _conv(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Sequential:
    conv = AutocastConv2d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.ReLU(inplace=True))


def _pool(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)
