"""Necks for mmdet's detectors; ``PiCANetSSDNeck``, in a module of its own, needs mmcv."""

from sod_plugins.openmmlab.models.necks.s4net_fpn import S4NetFPN

__all__ = ['S4NetFPN']
