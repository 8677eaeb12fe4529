"""Data sets for the OpenMMLab hosts."""

from sod_plugins.openmmlab.datasets.image_folder_dataset import ImageFolderDataset
from sod_plugins.openmmlab.datasets.saliency_dataset import SaliencyDataset
from sod_plugins.openmmlab.datasets.salient_instance_dataset import SalientInstanceDataset
from sod_plugins.openmmlab.datasets.seeded_dataset import DrawnDataset, SeededDataset

__all__ = [
    'DrawnDataset',
    'ImageFolderDataset',
    'SaliencyDataset',
    'SalientInstanceDataset',
    'SeededDataset',
]
