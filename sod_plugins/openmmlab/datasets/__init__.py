"""Data sets for the OpenMMLab hosts."""

from sod_plugins.openmmlab.datasets.drawn_dataset import DrawnDataset
from sod_plugins.openmmlab.datasets.image_folder_dataset import ImageFolderDataset
from sod_plugins.openmmlab.datasets.saliency_dataset import SaliencyDataset

__all__ = ['DrawnDataset', 'ImageFolderDataset', 'SaliencyDataset']
