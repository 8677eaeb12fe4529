"""ResNet with torchvision's key names; it can also return the map of its stem."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul

from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.networks.backbones.base import Backbone, init_he_normal

CHANNELS = (64, 128, 256, 512)
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


class ResNet(Backbone):
    """ResNet (He et al., CVPR 2016) without its classifier, keys as in torchvision.

    Stage 0 is the stem: 64 channels at stride 2, after the ReLU and before the pooling. Stages 1 to
    4 are the four groups of blocks, C2 to C5: 256, 512, 1024 and 2048 channels (a quarter of these
    for depths 18 and 34) at strides 4, 8, 16 and 32. The stride of a bottleneck is in its 3x3
    convolution. ``ResNet(50)`` has 23,508,032 parameters, ``ResNet(101)`` has 42,500,160. Sizes are
    rounded up, and any input size is accepted. Images must be normalised by the mean and standard
    deviation of ImageNet, as for torchvision's weights.

    Args:
        depth: 18, 34, 50, 101 or 152 layers.
        out_indices: Stages (from 0) whose map is returned.
        strides: Stride of the first block of stages 1 to 4; ``(1, 2, 1, 1)`` keeps stride 8.
        dilations: Dilation of all 3x3 convolutions of stages 1 to 4. (The hosts' networks of 18 and
            34 layers dilate only the first one of each block.)

    Raises:
        ValueError: The arguments do not describe a network.
    """

    left_out = ('fc.',)

    def __init__(
        self,
        depth: int = 50,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        *,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
    ) -> None:
        require_choice('depth', depth, BLOCKS)
        for name, values in (('strides', strides), ('dilations', dilations)):
            if len(values) != len(CHANNELS) or min(values) < 1:
                raise ValueError(f'{name} needs 4 positive entries, got {tuple(values)}.')
        block = BasicBlock if depth < 50 else Bottleneck
        super().__init__(
            [64, *(block.expansion * c for c in CHANNELS)],
            [2, *(4 * s for s in accumulate(strides, mul))],
            out_indices,
        )
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        previous = 64
        groups = []
        for count, channels, stride, dilation in zip(
            BLOCKS[depth], CHANNELS, strides, dilations, strict=True
        ):
            blocks = []
            for index in range(count):
                blocks.append(block(previous, channels, 1 if index else stride, dilation))
                previous = block.expansion * channels
            groups.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3, self.layer4 = groups
        init_he_normal(self)

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the stem and the four groups of blocks."""
        return [
            [self.conv1, self.bn1, self.relu],
            [self.maxpool, self.layer1],
            [self.layer2],
            [self.layer3],
            [self.layer4],
        ]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with an identity shortcut.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        channels: Channels of the convolutions and of the output.
        stride: Stride of the first convolution.
        dilation: Dilation of both convolutions.
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(in_channels, channels, stride, dilation)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, 1, dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, channels, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 convolutions, with an identity shortcut.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        channels: Channels of the 3x3 convolution, a quarter of the output's.
        stride: Stride of the 3x3 convolution.
        dilation: Dilation of the 3x3 convolution.
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int, dilation: int) -> None:
        super().__init__()
        out_channels = self.expansion * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv3x3(channels, channels, stride, dilation)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, 4 * channels, H / stride, W / stride)."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        out: Tensor = self.relu(y + (x if self.downsample is None else self.downsample(x)))
        return out


def _conv3x3(in_channels: int, out_channels: int, stride: int, dilation: int) -> nn.Conv2d:
    return AutocastConv2d(
        in_channels, out_channels, 3, stride, padding=dilation, dilation=dilation, bias=False
    )


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Return the projection shortcut of a block, or None if input and output have equal shapes."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
    )
