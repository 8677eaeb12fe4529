"""CSNet's cross-stage fusion part as a decode head."""

from __future__ import annotations

from typing import Any

from sod_plugins.networks import CSFDecoder
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.openmmlab.models.norm_layers import norm_layer
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(CSFDecoder, without=('norm_layer',))
class CSFHead(SaliencyDecodeHead):
    """Cross-stage fusion of CSNet (Sec. 4.3, Tab. 1) as a decode head.

    On ``sod_plugins.CSNet`` it forms CSNet. On mmseg's 50-layer ``ResNet`` it forms the paper's
    CSF+R with ``in_channels=(256, 512, 1024, 2048), fuse_channels=(128, 256, 512, 512),
    weight_scale=1, coarsening='bilinear', norm_cfg=dict(type='GN', num_groups=32)`` and
    ``init_cfg=dict(type='Normal', layer='Conv2d', std=0.01)``, which does not affect gOctConvs.

    Args:
        norm_cfg: Normalisation; by default ``dict(type='BN')``.
    """

    def __init__(
        self, *args: Any, norm_cfg: dict[str, Any] | None = None, **arguments: Any
    ) -> None:
        norm = norm_layer(norm_cfg or {'type': 'BN'})
        super().__init__(*args, norm_layer=norm, **arguments)
