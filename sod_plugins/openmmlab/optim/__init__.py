"""Optimizer-wrapper constructors and schedules."""

from sod_plugins.openmmlab.optim.dynamic_weight_decay_constructor import (
    DynamicWeightDecayConstructor,
)
from sod_plugins.openmmlab.optim.step_poly_lr import StepPolyLR

__all__ = ['DynamicWeightDecayConstructor', 'StepPolyLR']
