"""Backbones; they need only mmengine."""

from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.backbones.backbone_weights import BackboneWeights
from sod_plugins.openmmlab.models.backbones.csnet import CSNet
from sod_plugins.openmmlab.models.backbones.efficientnet_lite import EfficientNetLite
from sod_plugins.openmmlab.models.backbones.mobilenet import MobileNet
from sod_plugins.openmmlab.models.backbones.resnet import ResNet
from sod_plugins.openmmlab.models.backbones.samnet import SAMNet
from sod_plugins.openmmlab.models.backbones.shufflenet import ShuffleNet
from sod_plugins.openmmlab.models.backbones.shufflenet_v2 import ShuffleNetV2
from sod_plugins.openmmlab.models.backbones.vgg import VGG

__all__ = [
    'VGG',
    'BackboneAdapter',
    'BackboneWeights',
    'CSNet',
    'EfficientNetLite',
    'MobileNet',
    'ResNet',
    'SAMNet',
    'ShuffleNet',
    'ShuffleNetV2',
]
