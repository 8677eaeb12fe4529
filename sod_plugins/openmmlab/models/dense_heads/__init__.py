"""Heads for mmdet's one-stage detectors; they need mmdet."""

from sod_plugins.openmmlab.models.dense_heads.s4net_head import S4NetHead
from sod_plugins.openmmlab.models.dense_heads.ssd_head import SSDHead

__all__ = ['S4NetHead', 'SSDHead']
