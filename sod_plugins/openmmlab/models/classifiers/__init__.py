"""Classifiers, for pre-training and studying backbones; they need only mmengine."""

from sod_plugins.openmmlab.models.classifiers.csf_neck import CSFNeck
from sod_plugins.openmmlab.models.classifiers.image_classifier import ImageClassifier
from sod_plugins.openmmlab.models.classifiers.saliency_weights import SaliencyWeights

__all__ = ['CSFNeck', 'ImageClassifier', 'SaliencyWeights']
