"""ShuffleNet (V1): grouped 1x1 convolutions with a channel shuffle between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import ConvNormAct
from sod_plugins.networks.backbones.base import Backbone
from sod_plugins.ops.channel_shuffle import channel_shuffle

# Groups of the 1x1 convolutions -> channels of stage 2, which double in stages 3 and 4.
STAGE_2_CHANNELS = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}
STEM_CHANNELS = 24
UNITS = (4, 8, 4)


class ShuffleNet(Backbone):
    """ShuffleNet (Zhang et al., CVPR 2018, Tab. 1) without its classifier.

    Index 0 is the first convolution (stride 2) and index 1 its max-pooled map (stride 4), both with
    24 channels. Indices 2 to 4 are the paper's stages 2 to 4, with 240, 480 and 960 channels for
    three groups, at strides 8, 16 and 32. Sizes are rounded up, and any input size is accepted.
    ``ShuffleNet()`` has 904,728 parameters.

    Args:
        groups: Groups of the 1x1 convolutions: 1, 2, 3, 4 or 8.
        width: Factor on all channels, the s of "ShuffleNet s×".
        out_indices: Stages (from 0) whose map is returned.

    Raises:
        ValueError: A stage or the number of groups does not exist, or the groups do not divide the
            scaled channels.
    """

    def __init__(
        self, groups: int = 3, width: float = 1.0, out_indices: Sequence[int] = (0, 1, 2, 3, 4)
    ) -> None:
        require_choice('groups', groups, STAGE_2_CHANNELS)
        stem = int(width * STEM_CHANNELS)
        channels = [int(width * STAGE_2_CHANNELS[groups]) * 2**i for i in range(3)]
        if channels[0] % (4 * groups) or (channels[0] - stem) % groups:
            raise ValueError(
                f'{groups} groups have to divide, and at width {width} do not, a quarter of the '
                f'{channels[0]} channels of stage 2 and the {channels[0]} - {stem} that it adds.'
            )
        super().__init__([stem, stem, *channels], (2, 4, 8, 16, 32), out_indices)
        self.conv1 = ConvNormAct(3, stem, 3, stride=2)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        previous = stem
        stages = []
        for index, (current, count) in enumerate(zip(channels, UNITS, strict=True)):
            # The paper leaves the very first 1x1 convolution ungrouped: its input is narrow.
            first = ShuffleUnit(previous, current, groups, 1 if index == 0 else groups, stride=2)
            units = [ShuffleUnit(current, current, groups, groups) for _ in range(count - 1)]
            stages.append(nn.Sequential(first, *units))
            previous = current
        self.stage2, self.stage3, self.stage4 = stages

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the stem, its pooling and the three stages of units."""
        return [[self.conv1], [self.maxpool], [self.stage2], [self.stage3], [self.stage4]]


class ShuffleUnit(nn.Module):
    """A unit of ShuffleNet (Fig. 2 b and c): grouped 1x1, shuffle, depthwise 3x3, grouped 1x1.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output; the depthwise convolution has a quarter of them.
        groups: Groups of the second 1x1 convolution, and of the shuffle.
        first_groups: Groups of the first 1x1 convolution.
        stride: 1 adds the input; 2 concatenates the average-pooled input.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int, first_groups: int, stride: int = 1
    ) -> None:
        super().__init__()
        self.groups = groups
        self.stride = stride
        channels = out_channels // 4
        convolved = out_channels - in_channels if stride == 2 else out_channels
        self.reduce = ConvNormAct(in_channels, channels, groups=first_groups)
        self.depthwise = ConvNormAct(
            channels, channels, 3, stride=stride, groups=channels, act=False
        )
        self.expand = ConvNormAct(channels, convolved, groups=groups, act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y = channel_shuffle(self.reduce(x), self.groups)
        y = self.expand(self.depthwise(y))
        if self.stride == 1:
            return F.relu(x + y)
        return F.relu(torch.cat([F.avg_pool2d(x, 3, 2, padding=1), y], dim=1))
