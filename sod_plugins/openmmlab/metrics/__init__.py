"""Measures during training and testing with the OpenMMLab hosts."""

from sod_plugins.openmmlab.metrics.saliency_metric import SaliencyMetric

__all__ = ['SaliencyMetric']
