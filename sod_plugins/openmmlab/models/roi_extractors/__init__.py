"""RoI extractors for mmdet's detectors."""

from sod_plugins.openmmlab.models.roi_extractors.roi_align import RoIAlign
from sod_plugins.openmmlab.models.roi_extractors.roi_masking import RoIMasking
from sod_plugins.openmmlab.models.roi_extractors.roi_pool import RoIPool

__all__ = ['RoIAlign', 'RoIMasking', 'RoIPool']
