"""Segmentors; they need mmseg."""

from sod_plugins.openmmlab.models.segmentors.distilled_segmentor import DistilledSegmentor
from sod_plugins.openmmlab.models.segmentors.network_segmentor import NetworkSegmentor
from sod_plugins.openmmlab.models.segmentors.saliency_segmentor import SaliencySegmentor
from sod_plugins.openmmlab.models.segmentors.saliency_tta import SaliencyTTAModel

__all__ = ['DistilledSegmentor', 'NetworkSegmentor', 'SaliencySegmentor', 'SaliencyTTAModel']
