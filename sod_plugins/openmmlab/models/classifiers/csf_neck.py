"""CSNet's cross-stage fusion part between a backbone and a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins.networks import CrossStageFusion
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class CSFNeck(NetAdapter):
    """:class:`CrossStageFusion` to the coarsest scale, as CSNet classifies (Sec. 5.1.2).

    Args:
        in_channels: Channels of each map, finest first; each has half the size of the one before.
        fuse_channels: Channels of each scale after the first gOctConv; by default about a third of
            ``in_channels``.
        dilated_channels: Per scale, the channels of each dilation; by default equal shares.
        channels: Channels of the fused map, the ``in_channels`` of the classifier; by default the
            sum of ``fuse_channels``.
        weight_scale: Factor on the weights of the dilated convolutions.
        init_cfg: Initialisation; by default PyTorch's of every layer.

    Raises:
        ValueError: If the widths do not fit each other.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        fuse_channels: Sequence[int] | None = None,
        dilated_channels: Sequence[Sequence[int]] | None = None,
        channels: int | None = None,
        weight_scale: float = 100.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.net = CrossStageFusion(
            in_channels,
            fuse_channels,
            dilated_channels,
            channels,
            out_scale=-1,
            weight_scale=weight_scale,
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor]:
        """Map (N, C_i, H_i, W_i) per scale to the one map (N, channels, H_last, W_last)."""
        return (self.net(inputs),)
