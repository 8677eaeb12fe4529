"""ITDBU: its layers, decoder and loss, and the complete network."""

from sod_plugins.networks.itdbu.decoder import ITDBUDecoder
from sod_plugins.networks.itdbu.layers import SideOutput
from sod_plugins.networks.itdbu.losses import deeper_supervision_loss
from sod_plugins.networks.itdbu.network import ITDBU

__all__ = ['ITDBU', 'ITDBUDecoder', 'SideOutput', 'deeper_supervision_loss']
