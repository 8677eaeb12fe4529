"""Random changes of image colours."""

from __future__ import annotations

from typing import Any

from sod_plugins import transforms
from sod_plugins.openmmlab.datasets.transforms.saliency_transform import (
    SaliencyTransform,
    changed,
)
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ColorJitter(SaliencyTransform, transforms.ColorJitter):
    """Adapter of the plain transform."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change the image's colours, in either channel order."""
        image = results['img']
        rgb = results.get('channel_order', 'bgr') == 'rgb'  # the hosts' loaders do not set it
        pixels, _ = self.apply(image if rgb else image[..., ::-1], None, results['rng'])
        return changed(results, (pixels if rgb else pixels[..., ::-1], None))
