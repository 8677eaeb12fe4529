"""VGG, plain or with DeepLab's changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import mul

import torch
from torch import Tensor, nn

from sod_plugins._common.choices import require_choice
from sod_plugins.layers.conv import AutocastConv2d
from sod_plugins.networks.backbones.base import Backbone, init_he_normal

CHANNELS = (64, 128, 256, 512, 512)
STAGE_CONVS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}


class VGG(Backbone):
    """Convolutional part of VGG (Simonyan and Zisserman, ICLR 2015), keys as in torchvision.

    Stage i returns the map of its last convolution after the ReLU: conv1_2, conv2_2, conv3_3,
    conv4_3 and conv5_3 of VGG-16, with 64, 128, 256, 512 and 512 channels at strides 1, 2, 4, 8
    and 16. Sizes are rounded down. ``VGG(16)`` has 14,714,688 parameters. Images must be normalised
    by the mean and standard deviation of ImageNet, as for torchvision's weights.

    DeepLab's form, at stride 8 with the map of its Fc7 as stage 5, is ``VGG(pool_size=3,
    pool_strides=(2, 2, 2, 1, 1), dilations=(1, 1, 1, 1, 2), fc_channels=1024, fc_dilation=12,
    out_indices=range(6))`` with 20,483,904 parameters; it rounds sizes up.

    Args:
        depth: 11, 13, 16 or 19 layers, three of which belong to the omitted classifier.
        batch_norm: Whether BatchNorm follows every convolution of the five stages.
        width: Factor on the channels of all five stages.
        out_indices: Stages (from 0) whose map is returned; 5 is Fc7.
        pool_size: Side of the pooling windows at stride 2; 3 is DeepLab's, without padding and with
            incomplete windows at the border. A pooling of stride 1 is 3x3 and padded.
        pool_strides: Stride of the pooling after each stage.
        dilations: Dilation of the convolutions of each stage.
        fc_channels: Channels of Fc6 and Fc7 as 3x3 and 1x1 convolutions, each with a ReLU; None
            omits them and the last pooling.
        fc_dilation: Dilation of Fc6.
        dropout: Dropout probability between Fc6 and Fc7.
        pre_activation: Whether the maps of the five stages are returned from before their last ReLU
            (with ``batch_norm``, after the norm); that of Fc7 is always from after it.

    Raises:
        ValueError: The arguments do not describe a network, or an image side is smaller than the
            stride of the last returned map.
    """

    left_out = ('classifier.',)

    def __init__(
        self,
        depth: int = 16,
        batch_norm: bool = False,
        width: float = 1.0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        *,
        pool_size: int = 2,
        pool_strides: Sequence[int] = (2, 2, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1, 1),
        fc_channels: int | None = None,
        fc_dilation: int = 1,
        dropout: float = 0.5,
        pre_activation: bool = False,
    ) -> None:
        require_choice('depth', depth, STAGE_CONVS)
        require_choice('pool_size', pool_size, (2, 3))
        for name, values in (('pool_strides', pool_strides), ('dilations', dilations)):
            if len(values) != len(CHANNELS):
                raise ValueError(f'{name} needs 5 entries, one per stage, got {tuple(values)}.')
        if not set(pool_strides) <= {1, 2}:
            raise ValueError(f'pool_strides must be 1 or 2, got {tuple(pool_strides)}.')
        channels = [round(c * width) for c in CHANNELS]
        strides = list(accumulate(pool_strides, mul, initial=1))
        super().__init__(
            channels if fc_channels is None else [*channels, fc_channels], strides, out_indices
        )
        self.smallest_input = strides[self.out_indices[-1]]
        self._ends: list[int] = []
        self.features = nn.Sequential()
        previous = 3
        for stage, (count, current, dilation) in enumerate(
            zip(STAGE_CONVS[depth], channels, dilations, strict=True)
        ):
            if stage:
                self.features.append(_pooling(pool_size, pool_strides[stage - 1]))
            for _ in range(count):
                self.features.append(
                    AutocastConv2d(previous, current, 3, padding=dilation, dilation=dilation)
                )
                if batch_norm:
                    self.features.append(nn.BatchNorm2d(current))
                # In place, it would overwrite the map that is returned from before it.
                self.features.append(nn.ReLU(inplace=not pre_activation))
                previous = current
            self._ends.append(len(self.features) - pre_activation)
        self.has_fc = fc_channels is not None
        if fc_channels is not None:
            self.features.append(_pooling(pool_size, pool_strides[-1]))
            self.fc6 = AutocastConv2d(
                previous, fc_channels, 3, padding=fc_dilation, dilation=fc_dilation
            )
            self.fc7 = nn.Conv2d(fc_channels, fc_channels, 1)
            self.relu, self.dropout = nn.ReLU(inplace=True), nn.Dropout(dropout)
        init_he_normal(self)

    def stage_modules(self) -> Sequence[Iterable[nn.Module]]:
        """List the modules of each stage, starting with its pooling."""
        layers = list(self.features)
        starts = [0, *self._ends]
        stages = [layers[start:end] for start, end in zip(starts, self._ends, strict=False)]
        if self.has_fc:
            fc = [self.fc6, self.relu, self.dropout, self.fc7, self.relu]
            stages.append([*layers[self._ends[-1] :], *fc])
        return stages

    def convert_weights(self, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        """Subsample the first two layers of torchvision's classifier to Fc6 and Fc7, as in DeepLab.

        Of the 7x7 positions of Fc6, the corners, the centre and the middles of the edges are kept;
        of its 4096 channels, an evenly spaced selection.

        Args:
            weights: A state dict, with or without a classifier.
        """
        if not self.has_fc or 'fc6.weight' in weights or 'classifier.3.weight' not in weights:
            return weights
        first, second = weights['classifier.0.weight'], weights['classifier.3.weight']
        kept = torch.arange(self.fc6.out_channels) * len(first) // self.fc6.out_channels
        return {
            **weights,
            'fc6.weight': first.view(len(first), -1, 7, 7)[kept][..., ::3, ::3],
            'fc6.bias': weights['classifier.0.bias'][kept],
            'fc7.weight': second[kept][:, kept, None, None],
            'fc7.bias': weights['classifier.3.bias'][kept],
        }


def _pooling(size: int, stride: int) -> nn.MaxPool2d:
    if stride == 1:
        return nn.MaxPool2d(3, 1, padding=1)
    return nn.MaxPool2d(size, 2, ceil_mode=size == 3)
