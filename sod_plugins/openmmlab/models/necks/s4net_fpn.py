"""S4Net's feature pyramid as a neck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins import networks
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class S4NetFPN(NetAdapter):
    """:class:`sod_plugins.networks.S4NetFPN` from a config.

    Args:
        in_channels: Channels of each map of the backbone, finest first.
        out_channels: Channels of all levels.
        num_outs: Number of levels; those beyond the maps are pooled from the last one.
        upsample: ``'nearest'``, ``'bilinear'`` or ``'legacy_bilinear'``.
        init_std: Standard deviation of its initial weights; None is He's.
        init_cfg: Initialisation; by default the one of the plain module.

    Raises:
        ValueError: If the arguments do not describe a pyramid.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int = 256,
        num_outs: int = 4,
        *,
        upsample: str = 'nearest',
        init_std: float | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.net = networks.S4NetFPN(
            in_channels, out_channels, num_outs, upsample=upsample, init_std=init_std
        )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map the backbone's maps (N, C_i, H_i, W_i) to levels (N, ``out_channels``, H_j, W_j)."""
        return self.net(inputs)
