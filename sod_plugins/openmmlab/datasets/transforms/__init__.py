"""Transforms of an image and, if given, its soft saliency mask.

They need mmcv; ``PackSaliencyInputs``, in a module of its own, needs mmseg.
"""

from sod_plugins.openmmlab.datasets.transforms.augmentation import (
    RandomMarginCrop,
    RandomResizedCrop,
    RandomSaliencyCrop,
    RandomSaliencyFlip,
    RandomZoom,
)
from sod_plugins.openmmlab.datasets.transforms.color import ColorJitter
from sod_plugins.openmmlab.datasets.transforms.formatting import PackClassInputs
from sod_plugins.openmmlab.datasets.transforms.loading import LoadSaliencyImage, LoadSaliencyMask
from sod_plugins.openmmlab.datasets.transforms.multi_size import MultiSizeResize
from sod_plugins.openmmlab.datasets.transforms.resize import ResizeCenterCrop, ResizeSaliency

__all__ = [
    'ColorJitter',
    'LoadSaliencyImage',
    'LoadSaliencyMask',
    'MultiSizeResize',
    'PackClassInputs',
    'RandomMarginCrop',
    'RandomResizedCrop',
    'RandomSaliencyCrop',
    'RandomSaliencyFlip',
    'RandomZoom',
    'ResizeCenterCrop',
    'ResizeSaliency',
]
