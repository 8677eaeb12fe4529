"""Data sets on disk: folder layouts, images, masks, classes, checks and synthetic scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sod_plugins._common.lazy import lazy_names

if TYPE_CHECKING:
    from sod_plugins._common.names import LABEL_FORMATS, OCCLUSION, SPLITS
    from sod_plugins.data.check import DatasetReport, check_dataset, pair_problem
    from sod_plugins.data.class_folders import LabelledImages, class_names, find_labelled_images
    from sod_plugins.data.composites import CutOut, compose, cut_out, write_composites
    from sod_plugins.data.decoding import ImageSource, image_extensions
    from sod_plugins.data.encoding import encode_image, is_marked
    from sod_plugins.data.errors import DataError, list_files, list_problems
    from sod_plugins.data.folders import image_files, left_out_files, require_writable
    from sod_plugins.data.held_back import hold_back, write_held_back
    from sod_plugins.data.images import DecodedImage, decode_image, read_image, read_reduced
    from sod_plugins.data.instance_labels import convert_instances
    from sod_plugins.data.instance_reading import read_instances
    from sod_plugins.data.instance_sizes import ignore_small
    from sod_plugins.data.instances import (
        Instances,
        annotations_by_image,
        split_instances,
        write_instances,
    )
    from sod_plugins.data.layouts import LAYOUTS, FolderLayout, SaliencyPair, find_pairs
    from sod_plugins.data.lists import listed_stems
    from sod_plugins.data.masks import (
        DecodedMask,
        decode_mask,
        decode_prediction,
        read_mask,
        read_numbers,
        read_size,
    )
    from sod_plugins.data.occlusion import occluded_images
    from sod_plugins.data.png import encode_png, save_png
    from sod_plugins.data.predictions import find_predictions, find_scored_pairs
    from sod_plugins.data.presets import PRESETS, DatasetPreset, find_preset
    from sod_plugins.data.pseudo_labels import (
        PseudoLabelReport,
        assign_keywords,
        read_keywords,
        write_pseudo_labels,
    )
    from sod_plugins.data.rle import bounding_box, compress_mask, decode_segmentation, encode_rle
    from sod_plugins.data.sampling import sample_rng
    from sod_plugins.data.scenes import Scene, draw_scene
    from sod_plugins.data.synthetic import generate_scenes

__all__ = [
    'LABEL_FORMATS',
    'LAYOUTS',
    'OCCLUSION',
    'PRESETS',
    'SPLITS',
    'CutOut',
    'DataError',
    'DatasetPreset',
    'DatasetReport',
    'DecodedImage',
    'DecodedMask',
    'FolderLayout',
    'ImageSource',
    'Instances',
    'LabelledImages',
    'PseudoLabelReport',
    'SaliencyPair',
    'Scene',
    'annotations_by_image',
    'assign_keywords',
    'bounding_box',
    'check_dataset',
    'class_names',
    'compose',
    'compress_mask',
    'convert_instances',
    'cut_out',
    'decode_image',
    'decode_mask',
    'decode_prediction',
    'decode_segmentation',
    'draw_scene',
    'encode_image',
    'encode_png',
    'encode_rle',
    'find_labelled_images',
    'find_pairs',
    'find_predictions',
    'find_preset',
    'find_scored_pairs',
    'generate_scenes',
    'hold_back',
    'ignore_small',
    'image_extensions',
    'image_files',
    'is_marked',
    'left_out_files',
    'list_files',
    'list_problems',
    'listed_stems',
    'occluded_images',
    'pair_problem',
    'read_image',
    'read_instances',
    'read_keywords',
    'read_mask',
    'read_numbers',
    'read_reduced',
    'read_size',
    'require_writable',
    'sample_rng',
    'save_png',
    'split_instances',
    'write_composites',
    'write_held_back',
    'write_instances',
    'write_pseudo_labels',
]

__getattr__ = lazy_names(
    __name__,
    former={'CODINGS': 'LABEL_FORMATS', 'Photo': 'DecodedImage', 'read_photo': 'decode_image'},
)
