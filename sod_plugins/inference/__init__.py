"""Prediction of saliency maps and salient instances, for single images in Python or for folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sod_plugins._common.lazy import lazy_names

if TYPE_CHECKING:
    from sod_plugins._common.names import BACKENDS, PRODUCTS
    from sod_plugins.data import Instances
    from sod_plugins.inference.attention import save_attention, view_attention
    from sod_plugins.inference.backends import open_network
    from sod_plugins.inference.backgrounds import Background
    from sod_plugins.inference.class_activation import class_activation
    from sod_plugins.inference.collecting import Collection, collect_images, find_images
    from sod_plugins.inference.compiled_csnet import CompiledCSNet
    from sod_plugins.inference.dense_crf import DenseCRF
    from sod_plugins.inference.engines import ExportedNetwork, OnnxRuntimeNetwork, OpenVINONetwork
    from sod_plugins.inference.export import ExportCheck, export_network
    from sod_plugins.inference.files import PredictionSummary, predict_files
    from sod_plugins.inference.fused import fuse
    from sod_plugins.inference.inputs import PredictorInput
    from sod_plugins.inference.instance_features import InstanceDescriber
    from sod_plugins.inference.instance_files import predict_instance_files, save_instance_overlay
    from sod_plugins.inference.instance_predictor import InstancePredictor, as_arrays
    from sod_plugins.inference.merging import MergedShards, merge_shards
    from sod_plugins.inference.outputs import (
        Encoded,
        encode_cutout,
        encode_map,
        encode_overlay,
        encode_prediction,
        encode_product,
        save_cutout,
        save_map,
        save_overlay,
    )
    from sod_plugins.inference.predictor import SaliencyPredictor, model_file
    from sod_plugins.inference.ray_data import ray_predict
    from sod_plugins.inference.rendering import OutputOptions
    from sod_plugins.inference.shards import Shard
    from sod_plugins.inference.watching import watch_files

__all__ = [
    'BACKENDS',
    'PRODUCTS',
    'Background',
    'Collection',
    'CompiledCSNet',
    'DenseCRF',
    'Encoded',
    'ExportCheck',
    'ExportedNetwork',
    'InstanceDescriber',
    'InstancePredictor',
    'Instances',
    'MergedShards',
    'OnnxRuntimeNetwork',
    'OpenVINONetwork',
    'OutputOptions',
    'PredictionSummary',
    'PredictorInput',
    'SaliencyPredictor',
    'Shard',
    'as_arrays',
    'class_activation',
    'collect_images',
    'encode_cutout',
    'encode_map',
    'encode_overlay',
    'encode_prediction',
    'encode_product',
    'export_network',
    'find_images',
    'fuse',
    'merge_shards',
    'model_file',
    'open_network',
    'predict_files',
    'predict_instance_files',
    'ray_predict',
    'save_attention',
    'save_cutout',
    'save_instance_overlay',
    'save_map',
    'save_overlay',
    'view_attention',
    'watch_files',
]

__getattr__ = lazy_names(__name__, former={'PictureOptions': 'OutputOptions'})
