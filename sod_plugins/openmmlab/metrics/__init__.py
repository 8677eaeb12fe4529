"""Measures during training and testing with the OpenMMLab hosts."""

from sod_plugins.openmmlab.metrics.accuracy_metric import AccuracyMetric
from sod_plugins.openmmlab.metrics.saliency_metric import SaliencyMetric

__all__ = ['AccuracyMetric', 'SaliencyMetric']
