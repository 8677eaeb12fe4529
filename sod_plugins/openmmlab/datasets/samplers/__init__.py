"""Samplers that tell the data set how often it has been drawn from."""

from sod_plugins.data.sampling import DrawIndex
from sod_plugins.openmmlab.datasets.samplers.draw_sampler import DrawSampler

__all__ = ['DrawIndex', 'DrawSampler']
