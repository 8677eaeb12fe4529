"""Classifiers, to pre-train feature extractors and to study them; they need mmengine alone."""

from sod_plugins.openmmlab.models.classifiers.csf_neck import CSFNeck
from sod_plugins.openmmlab.models.classifiers.image_classifier import ImageClassifier
from sod_plugins.openmmlab.models.classifiers.saliency_weights import SaliencyWeights

__all__ = ['CSFNeck', 'ImageClassifier', 'SaliencyWeights']
