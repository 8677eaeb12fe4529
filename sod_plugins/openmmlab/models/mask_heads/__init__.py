"""Mask heads for mmdet's detectors."""

from sod_plugins.openmmlab.models.mask_heads.s4net_mask_head import S4NetMaskHead

__all__ = ['S4NetMaskHead']
