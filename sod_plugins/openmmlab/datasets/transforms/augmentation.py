"""Random crops and flips of an image and its saliency mask."""

from __future__ import annotations

from typing import Any

from sod_plugins import transforms
from sod_plugins.openmmlab.datasets.transforms.saliency_transform import (
    SaliencyTransform,
    changed,
)
from sod_plugins.registry import TRANSFORMS
from sod_plugins.transforms.flip import flip


@TRANSFORMS.register_module()
class RandomMarginCrop(SaliencyTransform, transforms.RandomMarginCrop):
    """Adapter of the plain transform."""


@TRANSFORMS.register_module()
class RandomResizedCrop(SaliencyTransform, transforms.RandomResizedCrop):
    """Adapter of the plain transform."""


@TRANSFORMS.register_module()
class RandomSaliencyCrop(SaliencyTransform, transforms.RandomSaliencyCrop):
    """Adapter of the plain transform."""


@TRANSFORMS.register_module()
class RandomSaliencyFlip(SaliencyTransform, transforms.RandomSaliencyFlip):
    """Adapter of the plain transform."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Flip the image and its mask together, or neither, and record the flip."""
        direction = self.draw_direction(results['rng'])
        results |= {'flip': direction is not None, 'flip_direction': direction}
        return changed(results, flip(results['img'], results.get('gt_seg_map'), direction))


@TRANSFORMS.register_module()
class RandomZoom(SaliencyTransform, transforms.RandomZoom):
    """Adapter of the plain transform."""
