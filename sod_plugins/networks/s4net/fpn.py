"""The feature pyramid of S4Net."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.choices import require_choice
from sod_plugins.ops.resize import resize_bilinear


@records_arguments
class S4NetFPN(nn.Module):
    """Feature pyramid (Lin et al., CVPR 2017) as in S4Net (Sec. 3.2).

    A 1x1 convolution projects each map to the same channels. From the coarsest map on, the running
    sum is upsampled and added to the next finer map, and a 3x3 convolution smooths every sum. The
    coarsest map is not smoothed, and there is neither a norm nor an activation. Levels coarser than
    the backbone's maps are 2x2 averages of the previous level.

    The paper has the levels conv3 to conv6, strides 8 to 64, and discards conv2. The released code
    keeps it: five levels from four maps, 2,754,304 parameters on ResNet-50. There, the maps are
    taken before the last block of a group, which has the stride.

    Args:
        in_channels: Channels of the backbone's maps, finest first.
        out_channels: Channels of every level.
        num_outs: Number of levels.
        upsample: How sums are upsampled: ``'nearest'`` as in FPN, ``'bilinear'``, or
            ``'legacy_bilinear'``, that of TensorFlow 1 in the released code, whose output is
            shifted by up to half a pixel.
        init_std: Standard deviation of the initial weights; None means He's initialisation for
            linear layers. The released code uses 0.01.

    Raises:
        ValueError: There are fewer levels than maps, or the upsampling is unknown.
    """

    def __init__(
        self,
        in_channels: Sequence[int] = (512, 1024, 2048),
        out_channels: int = 256,
        num_outs: int = 4,
        *,
        upsample: Upsampling = 'nearest',
        init_std: float | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= len(in_channels) <= num_outs:
            raise ValueError(
                f'num_outs must be at least the number of maps and that at least 1, got {num_outs} '
                f'for {len(in_channels)} maps.'
            )
        require_choice('upsample', upsample, ENLARGE)
        self.num_outs = num_outs
        self.upsample = upsample
        self.laterals = nn.ModuleList(nn.Conv2d(c, out_channels, 1) for c in in_channels)
        self.smooth = nn.ModuleList(
            nn.Conv2d(out_channels, out_channels, 3, padding=1) for _ in in_channels[1:]
        )
        init_convs(self, init_std, 'linear')

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map (N, C_i, H_i, W_i), finest first, to ``num_outs`` levels of ``out_channels``."""
        sums = [lateral(x) for lateral, x in zip(self.laterals, maps, strict=True)]
        for i in reversed(range(len(sums) - 1)):
            sums[i] = sums[i] + ENLARGE[self.upsample](sums[i + 1], sums[i].shape[-2:])
        levels = [smooth(x) for smooth, x in zip(self.smooth, sums, strict=False)]
        levels.append(sums[-1])
        while len(levels) < self.num_outs:
            levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
        return tuple(levels)


def _resize_nearest(x: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(x, size=size, mode='nearest')


def _resize_asymmetric(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize bilinearly, with output pixel i at i * (old size / new size) of the input."""
    for axis in (2, 3):
        length = x.shape[axis]
        positions = torch.arange(size[axis - 2], device=x.device) * (length / size[axis - 2])
        before = positions.long().clamp(max=length - 1)
        share = (positions - before).to(x.dtype).view(-1, *[1] * (3 - axis))
        start = x.index_select(axis, before)
        end = x.index_select(axis, (before + 1).clamp(max=length - 1))
        x = start + (end - start) * share
    return x


Upsampling = Literal['nearest', 'bilinear', 'legacy_bilinear']
ENLARGE: dict[Upsampling, Callable[[Tensor, tuple[int, int]], Tensor]] = {
    'nearest': _resize_nearest,
    'bilinear': resize_bilinear,
    'legacy_bilinear': _resize_asymmetric,
}


def init_convs(
    module: nn.Module, std: float | None, nonlinearity: Literal['relu', 'linear'] = 'relu'
) -> None:
    """Initialise weights from a normal distribution (He's if ``std`` is None), biases with 0."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d):
            if std is None:
                nn.init.kaiming_normal_(conv.weight, nonlinearity=nonlinearity)
            else:
                nn.init.normal_(conv.weight, std=std)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)
