"""Decode heads for mmseg's segmentors; they need mmseg."""

from sod_plugins.openmmlab.models.decode_heads.csf_head import CSFHead
from sod_plugins.openmmlab.models.decode_heads.itdbu_head import ITDBUHead
from sod_plugins.openmmlab.models.decode_heads.picanet_aspp_head import PiCANetASPPHead
from sod_plugins.openmmlab.models.decode_heads.picanet_head import PiCANetHead
from sod_plugins.openmmlab.models.decode_heads.picanet_unet_head import PiCANetUNetHead
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.decode_heads.samnet_head import SAMNetHead
from sod_plugins.openmmlab.models.decode_heads.semantic_decode_head import SemanticDecodeHead

__all__ = [
    'CSFHead',
    'ITDBUHead',
    'PiCANetASPPHead',
    'PiCANetHead',
    'PiCANetUNetHead',
    'SAMNetHead',
    'SaliencyDecodeHead',
    'SemanticDecodeHead',
]
