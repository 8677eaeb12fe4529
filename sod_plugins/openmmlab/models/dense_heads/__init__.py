"""Heads for mmdet's one-stage detectors; ``SSDHead``, in a module of its own, needs mmdet."""

from sod_plugins.openmmlab.models.dense_heads.s4net_head import S4NetHead

__all__ = ['S4NetHead']
