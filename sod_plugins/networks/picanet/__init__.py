"""PiCANet: its decoder and losses, the complete network, and its use in DeepLab and SSD."""

from sod_plugins.networks.picanet.aspp import PiCANetASPP
from sod_plugins.networks.picanet.attentive_decoder import Decoded
from sod_plugins.networks.picanet.context_neck import PiCANetContextNeck
from sod_plugins.networks.picanet.decoder import PiCANetDecoder
from sod_plugins.networks.picanet.losses import picanet_losses
from sod_plugins.networks.picanet.network import PiCANet
from sod_plugins.networks.picanet.ssd import PiCANetSSDNeck

__all__ = [
    'Decoded',
    'PiCANet',
    'PiCANetASPP',
    'PiCANetContextNeck',
    'PiCANetDecoder',
    'PiCANetSSDNeck',
    'picanet_losses',
]
