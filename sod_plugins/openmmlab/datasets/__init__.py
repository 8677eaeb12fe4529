"""Saliency data for the OpenMMLab hosts."""

from sod_plugins.openmmlab.datasets.saliency_dataset import SaliencyDataset

__all__ = ['SaliencyDataset']
