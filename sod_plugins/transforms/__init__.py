"""Random and fixed changes of an image and, where there is one, its saliency mask.

Each transform is set up by its constructor, and ``apply(image, mask, generator)`` returns the
changed pair. All random choices come from the generator, so the same generator gives the same pair
in any process and after any resume.
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
