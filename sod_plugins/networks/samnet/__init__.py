"""SAMNet: its decoder and the complete network."""

from sod_plugins.networks.samnet.decoder import PyramidPooling, SAMNetDecoder, upsample_logits
from sod_plugins.networks.samnet.network import SAMNet

__all__ = ['PyramidPooling', 'SAMNet', 'SAMNetDecoder', 'upsample_logits']
