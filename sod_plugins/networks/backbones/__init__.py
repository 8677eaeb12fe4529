"""Feature extractors: images in, a tuple of maps out, finest first."""

from sod_plugins.networks.backbones.base import Backbone
from sod_plugins.networks.backbones.build import (
    BACKBONES,
    PRESETS,
    backbone_spec,
    build_backbone,
)
from sod_plugins.networks.backbones.efficientnet_lite import EfficientNetLite
from sod_plugins.networks.backbones.resnet import ResNet
from sod_plugins.networks.backbones.samnet import SAMNetBackbone
from sod_plugins.networks.backbones.vgg import VGG

__all__ = [
    'BACKBONES',
    'PRESETS',
    'VGG',
    'Backbone',
    'EfficientNetLite',
    'ResNet',
    'SAMNetBackbone',
    'backbone_spec',
    'build_backbone',
]
