"""Transforms of an image and its soft saliency mask."""

from sod_plugins.openmmlab.datasets.transforms.augmentation import (
    RandomMarginCrop,
    RandomSaliencyFlip,
)
from sod_plugins.openmmlab.datasets.transforms.formatting import PackSaliencyInputs
from sod_plugins.openmmlab.datasets.transforms.loading import LoadSaliencyImage, LoadSaliencyMask
from sod_plugins.openmmlab.datasets.transforms.resize import ResizeSaliency

__all__ = [
    'LoadSaliencyImage',
    'LoadSaliencyMask',
    'PackSaliencyInputs',
    'RandomMarginCrop',
    'RandomSaliencyFlip',
    'ResizeSaliency',
]
