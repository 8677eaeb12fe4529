"""Measures during training and testing with the OpenMMLab hosts."""

from sod_plugins.openmmlab.metrics.accuracy_metric import AccuracyMetric
from sod_plugins.openmmlab.metrics.saliency_metric import SaliencyMetric
from sod_plugins.openmmlab.metrics.salient_instance_metric import SalientInstanceMetric

__all__ = ['AccuracyMetric', 'SaliencyMetric', 'SalientInstanceMetric']
