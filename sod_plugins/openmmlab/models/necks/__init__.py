"""Necks for mmdet's detectors."""

from sod_plugins.openmmlab.models.necks.picanet_ssd_neck import PiCANetSSDNeck

__all__ = ['PiCANetSSDNeck']
