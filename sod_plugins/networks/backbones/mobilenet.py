"""MobileNet (V1): depthwise separable convolutions throughout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from torch import nn

from sod_plugins.layers.conv import ConvNormAct, DepthwiseSeparableConv
from sod_plugins.networks.backbones.base import Backbone

# Channels of the depthwise separable convolutions. The first of stages 1 to 4 has stride 2.
STAGES = ((64,), (128, 128), (256, 256), (512,) * 6, (1024, 1024))
STEM_CHANNELS = 32


class MobileNet(Backbone):
    """MobileNet (Howard et al., 2017, Tab. 1) without its classifier.

    Stages 0 to 4 return 64, 128, 256, 512 and 1024 channels at strides 2 to 32. Sizes are rounded
    up, and any input size is accepted. ``MobileNet()`` has 3,206,976 parameters; with the paper's
    classifier it would have 4,231,976, the published 4.2 million.

    Args:
        width: Factor on all channels, the paper's alpha.
        out_indices: Stages (from 0) whose map is returned.

    Raises:
        ValueError: A stage does not exist.
    """

    def __init__(self, width: float = 1.0, out_indices: Sequence[int] = (0, 1, 2, 3, 4)) -> None:
        ends = [int(width * channels[-1]) for channels in STAGES]
        super().__init__(ends, (2, 4, 8, 16, 32), out_indices)
        previous = int(width * STEM_CHANNELS)
        self.features = nn.Sequential(ConvNormAct(3, previous, 3, stride=2))
        for stage, widths in enumerate(STAGES):
            for block, unscaled in enumerate(widths):
                current = int(width * unscaled)
                stride = 2 if stage and not block else 1
                self.features.append(DepthwiseSeparableConv(previous, current, stride=stride))
                previous = current

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the modules of each stage; the stem belongs to stage 0."""
        layers = list(self.features)
        ends = accumulate(map(len, STAGES), initial=1)
        stages = [layers[start:end] for start, end in pairwise(ends)]
        return [[layers[0], *stages[0]], *stages[1:]]
