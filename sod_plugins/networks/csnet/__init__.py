"""CSNet: its decoder, the complete network, the decoder on other backbones, and a classifier."""

from sod_plugins.networks.backbones.csnet import CSNetBackbone, CSNetExtractor
from sod_plugins.networks.csnet.classifier import CSNetClassifier
from sod_plugins.networks.csnet.csf import CSF
from sod_plugins.networks.csnet.decoder import CrossStageFusion, CSFDecoder
from sod_plugins.networks.csnet.network import CSNet

__all__ = [
    'CSF',
    'CSFDecoder',
    'CSNet',
    'CSNetBackbone',
    'CSNetClassifier',
    'CSNetExtractor',
    'CrossStageFusion',
]
