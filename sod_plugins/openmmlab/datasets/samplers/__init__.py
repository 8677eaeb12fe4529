"""Samplers that number their draws."""

from sod_plugins.data.sampling import DrawIndex
from sod_plugins.openmmlab.datasets.samplers.draw_sampler import DrawSampler

__all__ = ['DrawIndex', 'DrawSampler']
