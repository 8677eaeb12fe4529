"""Optimizer-wrapper constructors and schedules."""

from sod_plugins.openmmlab.optim.bfloat16_optim_wrapper import BFloat16OptimWrapper
from sod_plugins.openmmlab.optim.dynamic_weight_decay_constructor import (
    DynamicWeightDecayConstructor,
)
from sod_plugins.openmmlab.optim.step_poly_lr import StepPolyLR

__all__ = ['BFloat16OptimWrapper', 'DynamicWeightDecayConstructor', 'StepPolyLR']
