"""Training rules for modules and optimizers, usable in any training loop."""

from sod_plugins.optim.channel_selection import RULES, select_channels
from sod_plugins.optim.dynamic_weight_decay import DynamicWeightDecay, Metric, global_average
from sod_plugins.optim.pruning import prune, remove_channels

__all__ = [
    'RULES',
    'DynamicWeightDecay',
    'Metric',
    'global_average',
    'prune',
    'remove_channels',
    'select_channels',
]
