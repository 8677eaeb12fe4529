"""Describe the network of this package in a model of detectron2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from sod_plugins.checkpoints.description import Description, describe, describe_parts
from sod_plugins.detectron2.adapters import NetAdapter
from sod_plugins.detectron2.wrapping import unwrapped
from sod_plugins.networks import Preprocessing
from sod_plugins.networks.base import DescribedNetwork

# The parts of a model -> those of a plain network.
PARTS = {
    'backbone': 'backbone',
    'sem_seg_head': 'decode_head',
    'neck': 'neck',
    'bbox_head': 'bbox_head',
    'roi_extractor': 'roi_extractor',
    'mask_head': 'mask_head',
}


def describe_model(model: Any) -> Description:
    """Describe the network of a model from its live modules.

    Args:
        model: A model of detectron2, wrapped for several processes or not.

    Raises:
        ValueError: It is not a whole network of this package, or does not say at which size it is
            tested; the message says why.
    """
    model = unwrapped(model)
    preprocessing = _preprocessing(model)
    whole = getattr(model, 'network', None)
    if isinstance(whole, DescribedNetwork):
        return replace(describe(whole, preprocessing), prefixes={'network.': ''})
    parts, prefixes = {}, {}
    for name, child in model.named_children():
        adapted = isinstance(child, NetAdapter)
        plain_name = PARTS.get(name, name)
        parts[plain_name] = child.net if isinstance(child, NetAdapter) else child
        prefixes[f'{name}.net.' if adapted else f'{name}.'] = f'{plain_name}.'
    _require_all_maps(model)
    return replace(describe_parts(parts, preprocessing), prefixes=prefixes)


def own_names(weights: Mapping[str, Tensor], description: Description) -> dict[str, Tensor]:
    """Rename a plain network's weights as in the model of a description."""
    return {
        prefix + name.removeprefix(plain): value
        for name, value in weights.items()
        for prefix, plain in description.prefixes.items()
        if name.startswith(plain)
    }


def _require_all_maps(model: Any) -> None:
    """Refuse a model whose head or neck leaves out maps of its backbone."""
    shapes = model.backbone.output_shape()
    names = sorted(shapes, key=lambda name: shapes[name].stride)
    for part in ('sem_seg_head', 'neck'):
        taken = getattr(getattr(model, part, None), 'in_features', names)
        if list(taken) != names:
            raise ValueError(f'its {part} does not take all maps of its backbone')


def _preprocessing(model: Any) -> Preprocessing:
    """Return the preprocessing of a model."""
    size = getattr(model, 'input_size', (0, 0))
    if not all(size):
        raise ValueError('it has no input_size (SOD.INPUT_SIZE), the size that it is tested at')
    mean, std = (_channels(model, name) for name in ('pixel_mean', 'pixel_std'))
    return Preprocessing(size, mean, std, model.antialias)


def _channels(model: Any, name: str) -> tuple[float, float, float]:
    """Return numbers of the channels in the order red, green, blue."""
    # The shortest decimals of the float32: 123.675, and not 123.67500305175781.
    values = [float(str(np.float32(v))) for v in getattr(model, name).flatten().tolist()]
    red, green, blue = values[::-1] if model.input_format == 'BGR' else values
    return red, green, blue
