"""The models of this package by name: cards, and networks with weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sod_plugins._common.lazy import lazy_names

if TYPE_CHECKING:
    from sod_plugins.zoo.cards import (
        DEFAULT_MODELS,
        Measures,
        ModelCard,
        default_model,
        list_models,
        model_card,
    )
    from sod_plugins.zoo.resolver import find_model, load

__all__ = [
    'DEFAULT_MODELS',
    'Measures',
    'ModelCard',
    'default_model',
    'find_model',
    'list_models',
    'load',
    'model_card',
]

__getattr__ = lazy_names(__name__)
