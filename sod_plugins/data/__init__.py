"""Data on disk: folder layouts, images, masks and classes, checks and synthetic scenes."""

from sod_plugins.data.check import DatasetReport, check_dataset, pair_problem
from sod_plugins.data.class_folders import LabelledImages, class_names, find_labelled_images
from sod_plugins.data.errors import DataError, list_files, list_problems
from sod_plugins.data.folders import IMAGE_EXTENSIONS, image_files, require_writable
from sod_plugins.data.images import (
    DecodedMask,
    decode_mask,
    read_image,
    read_mask,
    read_size,
    save_png,
)
from sod_plugins.data.layouts import LAYOUTS, FolderLayout, SaliencyPair, find_pairs
from sod_plugins.data.lists import listed_stems
from sod_plugins.data.presets import PRESETS, DatasetPreset, find_preset
from sod_plugins.data.random import sample_rng
from sod_plugins.data.scenes import Scene, draw_scene
from sod_plugins.data.synthetic import SPLITS, generate_scenes

__all__ = [
    'IMAGE_EXTENSIONS',
    'LAYOUTS',
    'PRESETS',
    'SPLITS',
    'DataError',
    'DatasetPreset',
    'DatasetReport',
    'DecodedMask',
    'FolderLayout',
    'LabelledImages',
    'SaliencyPair',
    'Scene',
    'check_dataset',
    'class_names',
    'decode_mask',
    'draw_scene',
    'find_labelled_images',
    'find_pairs',
    'find_preset',
    'generate_scenes',
    'image_files',
    'list_files',
    'list_problems',
    'listed_stems',
    'pair_problem',
    'read_image',
    'read_mask',
    'read_size',
    'require_writable',
    'sample_rng',
    'save_png',
]
