"""Random changes of an image's colours."""

from __future__ import annotations

from sod_plugins import transforms
from sod_plugins.openmmlab.datasets.transforms.saliency_transform import SaliencyTransform
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ColorJitter(SaliencyTransform, transforms.ColorJitter):
    """Adapter of the plain transform."""
