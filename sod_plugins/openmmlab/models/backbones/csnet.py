"""CSNet's backbone for the hosts."""

from __future__ import annotations

from sod_plugins.networks import CSNetBackbone
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(CSNetBackbone)
class CSNet(BackboneAdapter):
    """CSNet's backbone (Sec. 4, Tab. 2) for the hosts."""
