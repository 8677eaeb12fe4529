"""Saliency data on disk: folder layouts, images and masks, checks and synthetic scenes."""

from sod_plugins.data.check import DatasetReport, check_dataset
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.images import DecodedMask, decode_mask, read_image, read_mask
from sod_plugins.data.layouts import LAYOUTS, FolderLayout, SaliencyPair, find_pairs
from sod_plugins.data.lists import IMAGE_EXTENSIONS
from sod_plugins.data.presets import PRESETS, DatasetPreset
from sod_plugins.data.random import sample_rng

__all__ = [
    'IMAGE_EXTENSIONS',
    'LAYOUTS',
    'PRESETS',
    'DataError',
    'DatasetPreset',
    'DatasetReport',
    'DecodedMask',
    'FolderLayout',
    'SaliencyPair',
    'check_dataset',
    'decode_mask',
    'find_pairs',
    'list_files',
    'read_image',
    'read_mask',
    'sample_rng',
]
