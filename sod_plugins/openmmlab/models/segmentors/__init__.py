"""Segmentors; they need mmseg."""

from sod_plugins.openmmlab.models.segmentors.saliency_segmentor import SaliencySegmentor

__all__ = ['SaliencySegmentor']
