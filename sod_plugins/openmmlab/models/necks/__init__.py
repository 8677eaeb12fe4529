"""Necks for mmdet's detectors."""

from sod_plugins.openmmlab.models.necks.picanet_ssd_neck import PiCANetSSDNeck
from sod_plugins.openmmlab.models.necks.s4net_fpn import S4NetFPN

__all__ = ['PiCANetSSDNeck', 'S4NetFPN']
