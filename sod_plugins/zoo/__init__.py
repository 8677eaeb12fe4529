"""The models of this package by name: cards, and networks with weights."""

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
