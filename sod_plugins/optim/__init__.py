"""Training rules for modules and optimizers, usable in any training loop."""

from sod_plugins.optim.channel_selection import RULES, select_channels
from sod_plugins.optim.divergence import DivergenceError, check_losses, check_weights
from sod_plugins.optim.dynamic_weight_decay import DynamicWeightDecay, Metric, global_average
from sod_plugins.optim.pruning import prune, remove_channels

__all__ = [
    'RULES',
    'DivergenceError',
    'DynamicWeightDecay',
    'Metric',
    'check_losses',
    'check_weights',
    'global_average',
    'prune',
    'remove_channels',
    'select_channels',
]
