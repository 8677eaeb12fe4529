"""Decode heads for mmseg's segmentors; they need mmseg."""

from sod_plugins.openmmlab.models.decode_heads.csf_head import CSFHead
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead

__all__ = ['CSFHead', 'SaliencyDecodeHead']
