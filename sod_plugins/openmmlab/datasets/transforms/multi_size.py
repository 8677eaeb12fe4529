"""A resize to a size that changes from epoch to epoch."""

from __future__ import annotations

from typing import Any

from sod_plugins import transforms
from sod_plugins.openmmlab.datasets.transforms.saliency_transform import (
    SaliencyTransform,
    changed,
)
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MultiSizeResize(SaliencyTransform, transforms.MultiSizeResize):
    """Adapter of the plain transform."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Resize the image and its mask to the size for this draw."""
        turn = self.turn(results.get('draw'), results.get('epoch'))
        image, mask, generator = results['img'], results.get('gt_seg_map'), results['rng']
        return changed(results, self.apply(image, mask, generator, turn))
