"""Mask heads for mmdet; they need mmdet with mmcv's compiled ops."""

from sod_plugins.openmmlab.models.mask_heads.s4net_mask_head import S4NetMaskHead

__all__ = ['S4NetMaskHead']
