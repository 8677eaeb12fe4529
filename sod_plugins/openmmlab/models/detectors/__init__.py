"""Detectors for mmdet; they need mmdet with mmcv's compiled ops."""

from sod_plugins.openmmlab.models.detectors.network_detector import NetworkDetector
from sod_plugins.openmmlab.models.detectors.s4net import S4Net

__all__ = ['NetworkDetector', 'S4Net']
