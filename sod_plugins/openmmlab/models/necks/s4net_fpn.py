"""S4Net's feature pyramid as a neck."""

from __future__ import annotations

from sod_plugins import networks
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter, adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(networks.S4NetFPN)
class S4NetFPN(ModuleAdapter):
    """S4Net's feature pyramid as a neck, for ``sod_plugins.S4Net``."""
