"""Classifiers, to pre-train feature extractors; they need mmengine alone."""

from sod_plugins.openmmlab.models.classifiers.image_classifier import ImageClassifier

__all__ = ['ImageClassifier']
