"""Unwrap models and data sets."""

from __future__ import annotations

from typing import Any, cast

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside mmengine's wrapper, or an unwrapped model unchanged."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model


def unwrapped_dataset(dataset: Any) -> Any:
    """Return the config of the first data set inside those that repeat or concatenate others."""
    while 'pipeline' not in dataset and ('dataset' in dataset or dataset.get('datasets')):
        dataset = dataset['dataset'] if 'dataset' in dataset else dataset['datasets'][0]
    return dataset
