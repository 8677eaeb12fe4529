"""Saliency data on disk: folder layouts, images and masks, checks and synthetic scenes."""

from sod_plugins.data.errors import DataError
from sod_plugins.data.images import DecodedMask, decode_mask, read_image, read_mask
from sod_plugins.data.layouts import SaliencyPair, find_pairs
from sod_plugins.data.random import sample_rng

__all__ = [
    'DataError',
    'DecodedMask',
    'SaliencyPair',
    'decode_mask',
    'find_pairs',
    'read_image',
    'read_mask',
    'sample_rng',
]
