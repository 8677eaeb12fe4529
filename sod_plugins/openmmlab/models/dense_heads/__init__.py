"""Heads for mmdet's one-stage detectors; they need mmdet."""

from sod_plugins.openmmlab.models.dense_heads.ssd_head import SSDHead

__all__ = ['SSDHead']
