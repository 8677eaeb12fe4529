"""Decode heads for mmseg's segmentors; they need mmseg."""

from sod_plugins.openmmlab.models.decode_heads.csf_head import CSFHead
from sod_plugins.openmmlab.models.decode_heads.itdbu_head import ITDBUHead
from sod_plugins.openmmlab.models.decode_heads.picanet_aspp_head import PiCANetASPPHead
from sod_plugins.openmmlab.models.decode_heads.picanet_head import PiCANetHead
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.decode_heads.samnet_head import SAMNetHead

__all__ = [
    'CSFHead',
    'ITDBUHead',
    'PiCANetASPPHead',
    'PiCANetHead',
    'SAMNetHead',
    'SaliencyDecodeHead',
]
