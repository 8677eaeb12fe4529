"""Transforms that pack the data samples of a host; they need mmseg."""

from sod_plugins.openmmlab.datasets.packing.pack_saliency_inputs import PackSaliencyInputs

__all__ = ['PackSaliencyInputs']
