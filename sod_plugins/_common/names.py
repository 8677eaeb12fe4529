"""The choices offered to users, as types and as tuples.

They are defined here so that the command line can offer them without importing what they name.
"""

from __future__ import annotations

from typing import Literal, get_args

ProtocolName = Literal['pysodmetrics', 'salmetric', 'fastsaliency', 'survey']
InstanceProtocolName = Literal['coco', 's4net']
Split = Literal['train', 'val', 'test']
LabelFormat = Literal['numbers', 'colours', 'masks', 'polygons', 'yolo']
Backend = Literal['torch', 'numba', 'onnxruntime', 'openvino']
ExifRule = Literal['apply', 'ignore']
PruningRule = Literal['gamma', 'filters', 'geometric_median']
OutputKind = Literal['map', 'mask', 'cutout', 'overlay']
Product = Literal['map', 'mask', 'cutout', 'overlay', 'instances']
ImageFormat = Literal['png', 'webp', 'jpeg', 'avif']
Launcher = Literal['none', 'pytorch', 'slurm', 'mpi']

PROTOCOLS: tuple[ProtocolName, ...] = get_args(ProtocolName)
INSTANCE_PROTOCOLS: tuple[InstanceProtocolName, ...] = get_args(InstanceProtocolName)
SPLITS: tuple[Split, ...] = get_args(Split)
LABEL_FORMATS: tuple[LabelFormat, ...] = get_args(LabelFormat)
BACKENDS: tuple[Backend, ...] = get_args(Backend)
EXIF_RULES: tuple[ExifRule, ...] = get_args(ExifRule)
PRUNING_RULES: tuple[PruningRule, ...] = get_args(PruningRule)
OUTPUT_KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
PRODUCTS: tuple[Product, ...] = get_args(Product)
IMAGE_FORMATS: tuple[ImageFormat, ...] = get_args(ImageFormat)
LAUNCHERS: tuple[Launcher, ...] = get_args(Launcher)

OCCLUSION = 0.1  # an image has occlusion if two boxes share this fraction of the smaller
