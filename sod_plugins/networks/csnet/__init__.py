"""CSNet: its decoder, the whole network, and the network as a classifier."""

from sod_plugins.networks.backbones.csnet import CSNetExtractor
from sod_plugins.networks.csnet.classifier import CSNetClassifier
from sod_plugins.networks.csnet.decoder import CrossStageFusion, CSFDecoder
from sod_plugins.networks.csnet.network import CSNet

__all__ = ['CSFDecoder', 'CSNet', 'CSNetClassifier', 'CSNetExtractor', 'CrossStageFusion']
