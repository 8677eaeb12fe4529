"""Normalisation constructors from a config, for plain networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmcv.cnn import build_norm_layer
from torch import nn


def norm_layer(config: dict[str, Any]) -> Callable[[int], nn.Module]:
    """Return a function from a number of channels to the normalisation that a config describes."""

    def build(channels: int) -> nn.Module:
        return build_norm_layer(config, channels)[1]

    return build
