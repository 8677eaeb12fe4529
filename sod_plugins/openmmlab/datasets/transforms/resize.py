"""Resizes of an image and its saliency mask."""

from __future__ import annotations

from sod_plugins import transforms
from sod_plugins.openmmlab.datasets.transforms.saliency_transform import SaliencyTransform
from sod_plugins.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeSaliency(SaliencyTransform, transforms.ResizeSaliency):
    """Adapter of the plain transform."""


@TRANSFORMS.register_module()
class ResizeCenterCrop(SaliencyTransform, transforms.ResizeCenterCrop):
    """Adapter of the plain transform."""
