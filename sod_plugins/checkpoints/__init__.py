"""Self-describing checkpoints, backbone weights, and conversion of released weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sod_plugins._common.lazy import lazy_names

if TYPE_CHECKING:
    from sod_plugins.checkpoints.averaging import average_networks
    from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
    from sod_plugins.checkpoints.network_file import (
        extract_network,
        load_classifier,
        load_network,
        save_network,
    )

__all__ = [
    'average_networks',
    'extract_network',
    'load_backbone_weights',
    'load_classifier',
    'load_network',
    'save_network',
]

__getattr__ = lazy_names(__name__)
