"""Optimizer-wrapper constructors."""

from sod_plugins.openmmlab.optim.dynamic_weight_decay_constructor import (
    DynamicWeightDecayConstructor,
)

__all__ = ['DynamicWeightDecayConstructor']
