"""Building blocks as plain ``nn.Module`` classes, to be lifted into any network."""

from sod_plugins.layers.goctconv import (
    GOctConv,
    GOctConvNormAct,
    ILBlock,
    ParallelDilatedConv,
)

__all__ = ['GOctConv', 'GOctConvNormAct', 'ILBlock', 'ParallelDilatedConv']
