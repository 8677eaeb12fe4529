"""VGG as a backbone of the hosts."""

from __future__ import annotations

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(backbones.VGG)
class VGG(BackboneAdapter):
    """VGG, plain or with DeepLab's changes, as a backbone of the hosts."""
