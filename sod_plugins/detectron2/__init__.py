"""Adapter for detectron2; importing it registers all that this package offers there."""

try:
    # A folder of that name would have no version.
    from detectron2 import __version__ as _host_version  # noqa: F401
except ImportError as error:
    raise ImportError(
        'sod_plugins.detectron2 needs detectron2: install it as '
        'https://detectron2.readthedocs.io/tutorials/install.html says.'
    ) from error

from sod_plugins.detectron2.backbones import (
    VGG,
    BackboneAdapter,
    CSNet,
    EfficientNetLite,
    MobileNet,
    ResNet,
    SAMNet,
    ShuffleNet,
    ShuffleNetV2,
)
from sod_plugins.detectron2.checkpointer import Checkpointer
from sod_plugins.detectron2.config import add_sod_plugins_config
from sod_plugins.detectron2.datasets import (
    instance_records,
    register_configured,
    register_saliency_dataset,
    register_salient_instances,
    saliency_records,
)
from sod_plugins.detectron2.description import describe_model
from sod_plugins.detectron2.evaluators import SaliencyEvaluator, SalientInstanceEvaluator
from sod_plugins.detectron2.heads import (
    CSFHead,
    ITDBUHead,
    PiCANetASPPHead,
    PiCANetHead,
    PiCANetUNetHead,
    SAMNetHead,
)
from sod_plugins.detectron2.hooks import DynamicWeightDecayHook, ExactResumeHook
from sod_plugins.detectron2.instances import NetworkDetector, S4Net, S4NetFPN
from sod_plugins.detectron2.loaders import build_test_loader, build_train_loader
from sod_plugins.detectron2.mappers import InstanceMapper, SaliencyMapper
from sod_plugins.detectron2.necks import PiCANetNeck, build_picanet_fpn_backbone
from sod_plugins.detectron2.optim import (
    StepPolyParamScheduler,
    build_optimizer,
    optimizer_params,
)
from sod_plugins.detectron2.pruning import PruningHook
from sod_plugins.detectron2.roi import ImageFrameMaskHead, RoIMaskingHeads, RoIMaskingPooler
from sod_plugins.detectron2.segmentors import NetworkSegmentor, SaliencySegmentor
from sod_plugins.detectron2.trainer import LazyTrainer, Trainer

__all__ = [
    'VGG',
    'BackboneAdapter',
    'CSFHead',
    'CSNet',
    'Checkpointer',
    'DynamicWeightDecayHook',
    'EfficientNetLite',
    'ExactResumeHook',
    'ITDBUHead',
    'ImageFrameMaskHead',
    'InstanceMapper',
    'LazyTrainer',
    'MobileNet',
    'NetworkDetector',
    'NetworkSegmentor',
    'PiCANetASPPHead',
    'PiCANetHead',
    'PiCANetNeck',
    'PiCANetUNetHead',
    'PruningHook',
    'ResNet',
    'RoIMaskingHeads',
    'RoIMaskingPooler',
    'S4Net',
    'S4NetFPN',
    'SAMNet',
    'SAMNetHead',
    'SaliencyEvaluator',
    'SaliencyMapper',
    'SaliencySegmentor',
    'SalientInstanceEvaluator',
    'ShuffleNet',
    'ShuffleNetV2',
    'StepPolyParamScheduler',
    'Trainer',
    'add_sod_plugins_config',
    'build_optimizer',
    'build_picanet_fpn_backbone',
    'build_test_loader',
    'build_train_loader',
    'describe_model',
    'instance_records',
    'optimizer_params',
    'register_configured',
    'register_saliency_dataset',
    'register_salient_instances',
    'saliency_records',
]
