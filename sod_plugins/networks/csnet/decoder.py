"""CSNet's decoder: the cross-stage fusion part, with and without a classifier.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers refer to this text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sod_plugins._common.arguments import records_arguments
from sod_plugins._common.declarations import passes_on
from sod_plugins.layers.goctconv import GOctConvNormAct, NormLayer, ParallelDilatedConv
from sod_plugins.networks.backbones.csnet_widths import (
    DILATIONS,
    dilated_split,
    regular_fuse_channels,
)
from sod_plugins.networks.base import SaliencyDecoder
from sod_plugins.ops.octave_conv import Coarsening, Maps


@records_arguments
class CrossStageFusion(nn.Module):
    """Cross-stage fusion part of CSNet (Sec. 4.3, Tab. 1) without its last 1x1 convolution.

    It consists of a 1x1 gOctConv across the stages, parallel dilated convolutions in each scale,
    and a 1x1 gOctConv to one scale. It works on any pyramid of halving maps.

    Args:
        in_channels: Channels of each map, finest first; each has half the size of the previous.
        fuse_channels: Channels of each scale after the first gOctConv; by default a third of
            ``in_channels`` (see :func:`regular_fuse_channels`).
        dilated_channels: Channels of each dilation per scale; by default equal, with the remainder
            in the last.
        channels: Channels of the fused map; by default the sum of ``fuse_channels``.
        out_scale: Scale of the fused map: 0 is the finest; -1 is the coarsest, which is used for
            classification (Sec. 5.1.2).
        weight_scale: Factor on the weights of the dilated convolutions; 1 for plain ones.
        coarsening: ``'max_pool'``, or ``'bilinear'`` as in CSF on ResNet.
        norm_layer: Creates a normalisation from a number of channels.

    Attributes:
        fuse_channels: Channels of each scale after the first gOctConv, given or by default.
        dilated_channels: Channels of each dilation per scale.
        channels: Channels of the fused map.

    Raises:
        ValueError: The widths contradict each other.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
        *,
        out_scale: int = 0,
        weight_scale: float = 100.0,
        coarsening: Coarsening = 'max_pool',
        norm_layer: NormLayer = nn.BatchNorm2d,
    ) -> None:
        super().__init__()
        in_channels = tuple(in_channels)
        if fuse_channels is None:
            fuse_channels = regular_fuse_channels(in_channels)
        if dilated_channels is None:
            dilated_channels = tuple(dilated_split(c) for c in fuse_channels)
        if not len(in_channels) == len(fuse_channels) == len(dilated_channels):
            raise ValueError(
                f'{type(self).__name__} needs as many scales in fuse_channels and '
                f'dilated_channels as in in_channels, got {in_channels=}, {fuse_channels=}, '
                f'{dilated_channels=}.'
            )
        if channels is None:
            channels = sum(fuse_channels)
        self.fuse_channels = tuple(fuse_channels)
        self.dilated_channels = tuple(tuple(widths) for widths in dilated_channels)
        self.channels = channels
        self.fuse = GOctConvNormAct(
            in_channels,
            fuse_channels,
            1,
            plain_weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )
        # An empty scale keeps its index.
        self.dilated = nn.ModuleList(
            ParallelDilatedConv(c, out, DILATIONS, weight_scale=weight_scale, norm_layer=norm_layer)
            if c and sum(out)
            else nn.Identity()
            for c, out in zip(fuse_channels, dilated_channels, strict=True)
        )
        self.dilated_widths = tuple(
            sum(out) if c else 0 for c, out in zip(fuse_channels, dilated_channels, strict=True)
        )
        merged = range(len(in_channels))[out_scale] * (0,) + (channels,)
        self.merge = GOctConvNormAct(
            self.dilated_widths,
            merged,
            1,
            plain_weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (N, C_i, H_i, W_i) per scale, finest first, to (N, channels, H_s, W_s)."""
        fused: Maps = self.fuse(maps)
        dilated = [
            layer(x) if width else None
            for layer, width, x in zip(self.dilated, self.dilated_widths, fused, strict=True)
        ]
        merged: Tensor = self.merge(dilated)[-1]
        return merged


@records_arguments
@passes_on(CrossStageFusion, without=('out_scale',))
class CSFDecoder(CrossStageFusion, SaliencyDecoder):
    """Cross-stage fusion part of CSNet with its 1x1 classifier, from maps to saliency logits.

    Its loss is the binary cross-entropy at the size of the mask, averaged over the pixels, as
    released: ``loss_bce``.
    """

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, **arguments)
        self.out_channels = self.channels
        self.classifier = nn.Conv2d(self.out_channels, 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map (N, C_i, H_i, W_i) per scale, finest first, to logits (N, 1, H_0, W_0)."""
        logits: Tensor = self.classifier(super().forward(maps))
        return logits


@records_arguments
class LastMapClassifier(SaliencyDecoder):
    """A 1x1 classifier on the coarsest map: the head of a backbone without fusion (Tab. 6).

    Its loss is that of :class:`CSFDecoder`.
    """

    def __init__(self, in_channels: Sequence[int]) -> None:
        super().__init__()
        self.out_channels = in_channels[-1]
        self.classifier = nn.Conv2d(self.out_channels, 1, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Map a pyramid to logits (N, 1, H, W) at the size of its last map."""
        logits: Tensor = self.classifier(maps[-1])
        return logits
