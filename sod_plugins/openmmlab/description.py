"""Identify the network of this package in a model of the hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor, nn

from sod_plugins.checkpoints.description import Description, describe, describe_parts
from sod_plugins.checkpoints.old_formats import read_preprocessing
from sod_plugins.networks import Preprocessing
from sod_plugins.networks.base import DescribedNetwork
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.openmmlab.unwrapping import unwrapped, unwrapped_dataset

# The transform that resizes images to the network's input size, by the network's task.
RESIZE = {'instances': 'Resize'}
RESIZE_SALIENCY = 'sod_plugins.ResizeSaliency'


def describe_model(model: nn.Module, cfg: Mapping[str, Any]) -> Description:
    """Describe the network in a model, from its live modules.

    Args:
        model: A segmentor, detector or classifier, wrapped or not.
        cfg: The config of its run, whose test pipeline determines the input size.

    Raises:
        ValueError: It is not a complete network of this package; the message says why.
    """
    model = unwrapped(model)
    whole = getattr(model, 'network', None)
    if isinstance(whole, DescribedNetwork):
        description = describe(whole, _preprocessing(model, cfg, RESIZE.get(whole.task)))
        prefixes = {'network.': ''}
    else:
        parts, prefixes = _parts_of(model)
        kind = RESIZE['instances'] if 'mask_head' in parts else None
        description = describe_parts(parts, _preprocessing(model, cfg, kind))
    return replace(description, prefixes=prefixes)


def _parts_of(model: nn.Module) -> tuple[dict[str, nn.Module], dict[str, str]]:
    """Return the plain modules in a model by name, and the prefixes of their weights."""
    parts: dict[str, nn.Module] = {}
    prefixes: dict[str, str] = {}
    for name, child in model.named_children():
        if name == 'data_preprocessor' or not any(True for _ in child.parameters()):
            continue
        adapted = isinstance(child, NetAdapter)
        parts[name] = child.net if isinstance(child, NetAdapter) else child
        prefixes[f'{name}.net.' if adapted else f'{name}.'] = f'{name}.'
    backbone, head = parts.get('backbone'), getattr(model, 'decode_head', None)
    maps = getattr(backbone, 'out_channels', None)
    if isinstance(head, NetAdapter) and maps and tuple(head.in_index) != tuple(range(len(maps))):
        raise ValueError('its decode head does not take all maps of its backbone in order')
    return parts, prefixes


def _preprocessing(
    model: nn.Module, cfg: Mapping[str, Any], resize: str | None = None
) -> Preprocessing:
    """Return the preprocessing by the model's preprocessor and its test pipeline."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    if not loader:
        raise ValueError('its config has no test, whose pipeline tells the size of the input')
    dataset = unwrapped_dataset(loader['dataset'])
    preprocessor = getattr(model, 'data_preprocessor', None)
    short = {}
    for name in ('mean', 'std'):
        value = getattr(preprocessor, name, None)
        if not isinstance(value, Tensor):
            raise ValueError('its data preprocessor does not normalise images')
        # The shortest decimal of the float32: 123.675, not 123.67500305175781.
        short[name] = [float(str(np.float32(number))) for number in value.flatten().tolist()]
    return read_preprocessing(short, dataset.get('pipeline', ()), resize or RESIZE_SALIENCY)
