"""Samplers that number their draws."""

from sod_plugins.data.sampling import DrawIndex, SampleIndex
from sod_plugins.openmmlab.datasets.samplers.resumable_sampler import DrawSampler, ResumableSampler

__all__ = ['DrawIndex', 'DrawSampler', 'ResumableSampler', 'SampleIndex']
