"""Unwrap models from their wrappers for several processes."""

from __future__ import annotations

from typing import cast

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model inside mmengine's wrapper, or an unwrapped model unchanged."""
    return cast(nn.Module, model.module) if is_model_wrapper(model) else model
