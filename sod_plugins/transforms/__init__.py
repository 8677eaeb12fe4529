"""Random and fixed transforms of an image and, if given, its saliency mask.

Each transform is configured by its constructor, and ``apply(image, mask, generator)`` returns the
transformed pair. All random choices come from the generator, so the same generator yields the same
pair in any process and after any resume.
"""

from sod_plugins.transforms.base import Transform
from sod_plugins.transforms.color import ColorJitter
from sod_plugins.transforms.crop import RandomMarginCrop, RandomResizedCrop, RandomSaliencyCrop
from sod_plugins.transforms.flip import RandomSaliencyFlip
from sod_plugins.transforms.resize import (
    MultiSizeResize,
    ResizeCenterCrop,
    ResizeSaliency,
    resize_image,
)
from sod_plugins.transforms.zoom import RandomZoom

__all__ = [
    'ColorJitter',
    'MultiSizeResize',
    'RandomMarginCrop',
    'RandomResizedCrop',
    'RandomSaliencyCrop',
    'RandomSaliencyFlip',
    'RandomZoom',
    'ResizeCenterCrop',
    'ResizeSaliency',
    'Transform',
    'resize_image',
]
