"""Backbones: images in, a tuple of maps out, finest first."""

from sod_plugins.networks.backbones.base import Backbone
from sod_plugins.networks.backbones.build import (
    BACKBONES,
    PRESETS,
    build_backbone,
    plain_spec,
    spec_of,
)
from sod_plugins.networks.backbones.efficientnet_lite import EfficientNetLite
from sod_plugins.networks.backbones.mobilenet import MobileNet
from sod_plugins.networks.backbones.resnet import ResNet
from sod_plugins.networks.backbones.samnet import SAMNetBackbone
from sod_plugins.networks.backbones.shufflenet import ShuffleNet
from sod_plugins.networks.backbones.shufflenet_v2 import ShuffleNetV2
from sod_plugins.networks.backbones.vgg import VGG

__all__ = [
    'BACKBONES',
    'PRESETS',
    'VGG',
    'Backbone',
    'EfficientNetLite',
    'MobileNet',
    'ResNet',
    'SAMNetBackbone',
    'ShuffleNet',
    'ShuffleNetV2',
    'build_backbone',
    'plain_spec',
    'spec_of',
]
