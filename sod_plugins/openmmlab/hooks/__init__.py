"""Hooks for mmengine's runner."""

from sod_plugins.openmmlab.hooks.check_classes_hook import CheckClassesHook
from sod_plugins.openmmlab.hooks.description_hook import DescriptionHook
from sod_plugins.openmmlab.hooks.dynamic_weight_decay_hook import DynamicWeightDecayHook
from sod_plugins.openmmlab.hooks.exact_resume_hook import ExactResumeHook
from sod_plugins.openmmlab.hooks.finite_loss_hook import FiniteLossHook
from sod_plugins.openmmlab.hooks.instance_overlay_hook import InstanceOverlayHook
from sod_plugins.openmmlab.hooks.pruning_hook import PruningHook
from sod_plugins.openmmlab.hooks.saliency_overlay_hook import SaliencyOverlayHook

__all__ = [
    'CheckClassesHook',
    'DescriptionHook',
    'DynamicWeightDecayHook',
    'ExactResumeHook',
    'FiniteLossHook',
    'InstanceOverlayHook',
    'PruningHook',
    'SaliencyOverlayHook',
]
