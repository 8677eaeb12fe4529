"""Rules on modules and optimizers, for any training loop."""

from sod_plugins.optim.dynamic_weight_decay import DynamicWeightDecay, Metric, global_average

__all__ = ['DynamicWeightDecay', 'Metric', 'global_average']
