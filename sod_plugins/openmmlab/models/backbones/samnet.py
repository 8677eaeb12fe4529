"""SAMNet's backbone for the hosts."""

from __future__ import annotations

from sod_plugins.networks.backbones import SAMNetBackbone
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(SAMNetBackbone)
class SAMNet(BackboneAdapter):
    """SAMNet's backbone (Tab. I) for the hosts."""
