"""CSNet's cross-stage fusion part between a backbone and a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins.networks import CrossStageFusion
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter, adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(CrossStageFusion, without=('out_scale', 'norm_layer'))
class CSFNeck(ModuleAdapter):
    """CSNet's fusion part to the coarsest scale, as used for classification (Sec. 5.1.2).

    The fused map has ``channels`` channels, the ``in_channels`` of the classifier.
    """

    def __init__(self, *args: Any, **arguments: Any) -> None:
        super().__init__(*args, out_scale=-1, **arguments)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor]:
        """Map (N, C_i, H_i, W_i) per scale to a single map (N, channels, H_last, W_last)."""
        return (self.net(inputs),)
