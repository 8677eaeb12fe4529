"""Complete networks in plain PyTorch: images in, saliency logits or instances out.

Functions about networks that are defined elsewhere (``load_network``, ``count_macs``, ...) can be
imported from here too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sod_plugins.networks.base import DescribedNetwork, InstanceTensors, SaliencyNetwork
from sod_plugins.networks.csnet import (
    CSF,
    CrossStageFusion,
    CSFDecoder,
    CSNet,
    CSNetBackbone,
    CSNetClassifier,
    CSNetExtractor,
)
from sod_plugins.networks.itdbu import ITDBU, ITDBUDecoder, SideOutput, deeper_supervision_loss
from sod_plugins.networks.picanet import (
    Decoded,
    PiCANet,
    PiCANetASPP,
    PiCANetDecoder,
    PiCANetSSDNeck,
    picanet_losses,
)
from sod_plugins.networks.preprocessing import Preprocessing, saliency_map, to_uint8
from sod_plugins.networks.registry import network_names, register_network
from sod_plugins.networks.s4net import (
    Detections,
    HeadOutputs,
    Proposals,
    S4Net,
    S4NetFlow,
    S4NetFPN,
    S4NetHead,
    S4NetMaskBranch,
)
from sod_plugins.networks.samnet import SAMNet, SAMNetDecoder

if TYPE_CHECKING:
    from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
    from sod_plugins.checkpoints import (
        extract_network,
        load_classifier,
        load_network,
        save_network,
    )
    from sod_plugins.inference.dense_crf import DenseCRF
    from sod_plugins.inference.fused import fuse

# Names defined in outer packages, which are imported lazily to avoid a circular import.
_MOVED = {
    'DenseCRF': 'sod_plugins.inference.dense_crf',
    'count_macs': 'sod_plugins.analysis.complexity',
    'count_macs_csnet': 'sod_plugins.analysis.complexity',
    'count_parameters': 'sod_plugins.analysis.complexity',
    'extract_network': 'sod_plugins.checkpoints',
    'fuse': 'sod_plugins.inference.fused',
    'load_classifier': 'sod_plugins.checkpoints',
    'load_network': 'sod_plugins.checkpoints',
    'save_network': 'sod_plugins.checkpoints',
}

__all__ = [
    'CSF',
    'ITDBU',
    'CSFDecoder',
    'CSNet',
    'CSNetBackbone',
    'CSNetClassifier',
    'CSNetExtractor',
    'CrossStageFusion',
    'Decoded',
    'DenseCRF',
    'DescribedNetwork',
    'Detections',
    'HeadOutputs',
    'ITDBUDecoder',
    'InstanceTensors',
    'PiCANet',
    'PiCANetASPP',
    'PiCANetDecoder',
    'PiCANetSSDNeck',
    'Preprocessing',
    'Proposals',
    'S4Net',
    'S4NetFPN',
    'S4NetFlow',
    'S4NetHead',
    'S4NetMaskBranch',
    'SAMNet',
    'SAMNetDecoder',
    'SaliencyNetwork',
    'SideOutput',
    'count_macs',
    'count_macs_csnet',
    'count_parameters',
    'deeper_supervision_loss',
    'extract_network',
    'fuse',
    'load_classifier',
    'load_network',
    'network_names',
    'picanet_losses',
    'register_network',
    'saliency_map',
    'save_network',
    'to_uint8',
]


def __getattr__(name: str) -> Any:
    """Import a name of an outer package on first access."""
    if name not in _MOVED:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_MOVED[name]), name)
