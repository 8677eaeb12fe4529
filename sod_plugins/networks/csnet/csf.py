"""CSNet's cross-stage fusion on other backbones, as a whole network.

Paper: Cheng et al., "A Highly Efficient Model to Study the Semantics of Salient Object Detection",
TPAMI; section and table numbers are those of this text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from sod_plugins.networks.backbones import backbone_spec, build_backbone, plain_spec
from sod_plugins.networks.base import SaliencyNetwork
from sod_plugins.networks.csnet.decoder import CSFDecoder
from sod_plugins.ops.resize import resize_bilinear

RESNET50 = {'type': 'ResNet', 'depth': 50, 'out_indices': (1, 2, 3, 4)}
# Arguments that the network and the registered head have in common, and the head's defaults.
HEAD_DEFAULTS = {
    'fuse_channels': None,
    'dilated_channels': None,
    'channels': None,
    'weight_scale': 100.0,
    'coarsening': 'max_pool',
}


class CSF(SaliencyNetwork):
    """Cross-stage fusion on any backbone (CSF+R, Tab. 7), from images to logits.

    ``CSF(fuse_channels=(128, 256, 512, 512), norm_groups=32)`` is the paper's on ResNet-50 and has
    36,367,169 parameters.

    Args:
        backbone: The feature extractor, as :func:`~sod_plugins.networks.backbones.build_backbone`
            takes it; each of its maps has half the size of the one before.
        fuse_channels: See :class:`CSFDecoder`, also for the next two.
        dilated_channels: Likewise.
        channels: Likewise.
        weight_scale: Factor on the weights of the dilated convolutions; 1 for plain ones.
        coarsening: How maps reach a coarser scale, ``'max_pool'`` or ``'bilinear'``.
        norm_groups: Groups of the decoder's GroupNorm; None for BatchNorm.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        backbone: str | Mapping[str, Any] = RESNET50,
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
        weight_scale: float = 1.0,
        coarsening: str = 'bilinear',
        norm_groups: int | None = None,
    ) -> None:
        super().__init__(
            {
                'backbone': plain_spec(backbone),
                'fuse_channels': fuse_channels,
                'dilated_channels': dilated_channels,
                'channels': channels,
                'weight_scale': weight_scale,
                'coarsening': coarsening,
                'norm_groups': norm_groups,
            }
        )

        def norm_layer(width: int) -> nn.Module:
            return nn.GroupNorm(norm_groups, width) if norm_groups else nn.BatchNorm2d(width)

        self.backbone = build_backbone(backbone)
        self.decode_head = CSFDecoder(
            _halving(self.backbone.out_channels, self.backbone.out_strides),
            fuse_channels,
            dilated_channels,
            channels,
            weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )

    @staticmethod
    def arguments_of_parts(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments of the network that a registered backbone and head make.

        Args:
            backbone: Config of any backbone of this package.
            head: Config of ``sod_plugins.CSFHead``.

        Raises:
            ValueError: If the backbone is none of this package, the head does not take all of its
                maps in order, or its normalisation is neither BatchNorm nor GroupNorm.
        """
        spec = backbone_spec(backbone)
        with torch.device('meta'):
            out_channels = build_backbone(spec).out_channels
        in_channels = tuple(head['in_channels'])
        in_index = head.get('in_index')
        in_order = in_index is None or tuple(in_index) == tuple(range(len(in_channels)))
        if in_channels != out_channels or not in_order:
            raise ValueError('its CSFHead does not take all maps of its backbone in order')
        norm = head.get('norm_cfg') or {'type': 'BN'}
        if norm['type'] not in ('BN', 'SyncBN', 'GN'):
            raise ValueError(f'its CSFHead has the normalisation {norm["type"]}, not BN or GN')
        shared = {name: head.get(name, default) for name, default in HEAD_DEFAULTS.items()}
        return {'backbone': spec, **shared, 'norm_groups': norm.get('num_groups')}

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to logits (N, 1, H, W)."""
        logits: Tensor = self.decode_head(self.backbone(images))
        return resize_bilinear(logits, (images.shape[-2], images.shape[-1]))


def _halving(channels: Sequence[int], strides: Sequence[int]) -> Sequence[int]:
    """Return the channels of maps each of which has half the size of the one before.

    Raises:
        ValueError: If a map has another size.
    """
    if any(coarse != 2 * fine for fine, coarse in pairwise(strides)):
        raise ValueError(f'CSF needs maps that halve in size, got strides {tuple(strides)}.')
    return channels
