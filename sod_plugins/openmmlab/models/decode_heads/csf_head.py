"""CSNet's cross-stage fusion part as a decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn

from sod_plugins.networks import CSFDecoder
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class CSFHead(SaliencyDecodeHead):
    """Cross-stage fusion of CSNet (Sec. 4.3, Tab. 1): :class:`CSFDecoder` from a config.

    On ``sod_plugins.CSNet`` it makes CSNet. On mmseg's ``ResNet`` of 50 layers it makes the paper's
    CSF+R with ``in_channels=(256, 512, 1024, 2048), fuse_channels=(128, 256, 512, 512),
    weight_scale=1, coarsening='bilinear', norm_cfg=dict(type='GN', num_groups=32)`` and
    ``init_cfg=dict(type='Normal', layer='Conv2d', std=0.01)``, which leaves gOctConvs as they are.

    Args:
        in_channels: Channels of each map, finest first; each has half the size of the one before.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        channels: Channels before the classifier; by default the sum of ``fuse_channels``.
        fuse_channels: Channels of each scale after the first gOctConv; by default about a third of
            ``in_channels``.
        dilated_channels: Per scale, the channels of each dilation; by default equal shares.
        weight_scale: Factor on the weights of the dilated convolutions; 1 for plain ones.
        coarsening: How maps reach a coarser scale, ``'max_pool'`` or ``'bilinear'``.
        norm_cfg: Normalisation; by default ``dict(type='BN')``.
        loss_decode: See :class:`SaliencyDecodeHead`.
        init_cfg: Initialisation; by default PyTorch's of every layer.

    Raises:
        ValueError: If the widths do not fit each other.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        in_index: Sequence[int] | None = None,
        channels: int | None = None,
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        weight_scale: float = 100.0,
        coarsening: str = 'max_pool',
        norm_cfg: dict[str, Any] | None = None,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        def norm_layer(width: int) -> nn.Module:
            return build_norm_layer(norm_cfg or {'type': 'BN'}, width)[1]

        net = CSFDecoder(
            in_channels,
            fuse_channels,
            dilated_channels,
            channels,
            weight_scale=weight_scale,
            coarsening=coarsening,
            norm_layer=norm_layer,
        )
        super().__init__(
            net,
            in_channels,
            net.classifier.in_channels,
            in_index=in_index,
            loss_decode=loss_decode,
            init_cfg=init_cfg,
        )
