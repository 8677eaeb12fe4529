"""CSNet's cross-stage fusion on other backbones, as a complete network.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers refer to this text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from torch import nn

from sod_plugins._common.declarations import passes_on
from sod_plugins.networks.backbones import build_backbone
from sod_plugins.networks.base import Extractor, Parts, SaliencyNetwork
from sod_plugins.networks.csnet.decoder import CSFDecoder
from sod_plugins.networks.registry import register_network
from sod_plugins.ops.octave_conv import Coarsening

RESNET50 = {'type': 'ResNet', 'depth': 50, 'out_indices': (1, 2, 3, 4)}


@register_network
@passes_on(CSFDecoder, without=('in_channels', 'norm_layer'))
class CSF(SaliencyNetwork):
    """Cross-stage fusion on any backbone (CSF+R, Tab. 7), from images to logits.

    ``CSF(fuse_channels=(128, 256, 512, 512), norm_groups=32)`` is the paper's on ResNet-50 and has
    36,367,169 parameters.

    Args:
        backbone: The backbone, as :func:`~sod_plugins.networks.backbones.build_backbone`
            accepts it; each of its maps has half the size of the previous one.
        norm_groups: Groups of the decoder's GroupNorm; None for BatchNorm.

    Raises:
        ValueError: The arguments do not describe a network.
    """

    parts: ClassVar[Parts] = {'backbone': Extractor, 'decode_head': CSFDecoder}

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = RESNET50,
        *args: Any,
        weight_scale: float = 1.0,
        coarsening: Coarsening = 'bilinear',
        norm_groups: int | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__()

        def norm_layer(width: int) -> nn.Module:
            return nn.GroupNorm(norm_groups, width) if norm_groups else nn.BatchNorm2d(width)

        self.backbone = build_backbone(backbone)
        self.decode_head = CSFDecoder(
            _halving(self.backbone.out_channels, self.backbone.out_strides),
            *args,
            weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
            **arguments,
        )

    @classmethod
    def arguments_of_parts(cls, parts: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that the parts were built with."""
        norms = [m for m in parts['decode_head'].modules() if isinstance(m, nn.GroupNorm)]
        groups = norms[0].num_groups if norms else None
        return {**super().arguments_of_parts(parts), 'norm_groups': groups}


def _halving(channels: Sequence[int], strides: Sequence[int]) -> Sequence[int]:
    """Return the channels of maps, each of which has half the size of the previous one.

    Raises:
        ValueError: A map does not have half the size of the previous one.
    """
    if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
        raise ValueError(f'CSF needs maps that halve in size, got strides {tuple(strides)}.')
    return channels
