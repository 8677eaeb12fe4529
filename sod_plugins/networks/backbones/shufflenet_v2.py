"""ShuffleNetV2 with torchvision's key names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.networks.backbones.base import Backbone
from sod_plugins.ops.channel_shuffle import channel_shuffle

# Width -> channels of stages 2 to 4 and of the last 1x1 convolution.
CHANNELS = {
    0.5: (48, 96, 192, 1024),
    1.0: (116, 232, 464, 1024),
    1.5: (176, 352, 704, 1024),
    2.0: (244, 488, 976, 2048),
}
STEM_CHANNELS = 24
UNITS = (4, 8, 4)


class ShuffleNetV2(Backbone):
    """ShuffleNetV2 (Ma et al., ECCV 2018, Tab. 5) without its classifier, keys as in torchvision.

    Index 0 is the first convolution (stride 2) and index 1 its max-pooled map (stride 4), both with
    24 channels. Indices 2 to 4 are the paper's stages 2 to 4, with 116, 232 and 464 channels for
    width 1, at strides 8, 16 and 32. Sizes are rounded up, and any input size is accepted.
    ``ShuffleNetV2()`` has 776,420 parameters, or 1,253,604 with the last convolution. Images must
    be normalised by the mean and standard deviation of ImageNet, as for torchvision's weights.

    Args:
        width: 0.5, 1, 1.5 or 2, the paper's factors on the channels.
        out_indices: Stages (from 0) whose map is returned.
        last_conv: Whether the last stage ends with the 1x1 convolution to 1024 (2048) channels that
            precedes the classifier.

    Raises:
        ValueError: The width or a stage does not exist.
    """

    def __init__(
        self,
        width: float = 1.0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        last_conv: bool = False,
    ) -> None:
        require_choice('width', width, CHANNELS)
        *channels, last = CHANNELS[width]
        ends = [STEM_CHANNELS, STEM_CHANNELS, *channels]
        if last_conv:
            ends[-1] = last
        super().__init__(ends, (2, 4, 8, 16, 32), out_indices)
        self.left_out = ('fc.',) if last_conv else ('conv5.', 'fc.')
        self.conv1 = nn.Sequential(*_conv(3, STEM_CHANNELS, 3, stride=2))
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        previous = STEM_CHANNELS
        stages = []
        for current, count in zip(channels, UNITS, strict=True):
            units = [ShuffleV2Unit(current, current) for _ in range(count - 1)]
            stages.append(nn.Sequential(ShuffleV2Unit(previous, current, stride=2), *units))
            previous = current
        self.stage2, self.stage3, self.stage4 = stages
        self.conv5: nn.Module | None = None
        if last_conv:
            self.conv5 = nn.Sequential(*_conv(previous, last, 1))

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the stem, its pooling and the three stages of units."""
        last = [self.stage4] if self.conv5 is None else [self.stage4, self.conv5]
        return [[self.conv1], [self.maxpool], [self.stage2], [self.stage3], last]


class ShuffleV2Unit(nn.Module):
    """A unit of ShuffleNetV2 (Fig. 3 c and d), whose output channels are shuffled in two groups.

    With stride 1, half of the channels pass unchanged; with stride 2, both branches see all.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output; with stride 1 equal to the input.
        stride: Stride of the depthwise convolutions.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        half = out_channels // 2
        branch_channels = in_channels if stride == 2 else half
        self.branch1 = nn.Sequential()
        if stride == 2:
            self.branch1.extend([*_depthwise(in_channels, stride), *_conv(in_channels, half, 1)])
        self.branch2 = nn.Sequential(
            *_conv(branch_channels, half, 1), *_depthwise(half, stride), *_conv(half, half, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        left, right = (x, x) if self.stride == 2 else x.chunk(2, dim=1)
        return channel_shuffle(torch.cat([self.branch1(left), self.branch2(right)], dim=1), 2)


def _conv(
    in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
) -> list[nn.Module]:
    """Convolution, BatchNorm and ReLU, in a flat list as in torchvision's key names."""
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
    )
    return [conv, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    conv = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return [conv, nn.BatchNorm2d(channels)]
