"""ResNet as a backbone of the hosts, which can return the map of its stem."""

from __future__ import annotations

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(backbones.ResNet)
class ResNet(BackboneAdapter):
    """ResNet as a backbone of the hosts.

    The map of its stem is stage 0, so stages 1 to 4 are C2 to C5: one more than in the hosts'
    ``ResNet``.
    """
