"""ShuffleNet as a backbone of the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class ShuffleNet(BackboneAdapter):
    """:class:`sod_plugins.networks.backbones.ShuffleNet` from a config.

    Args:
        groups: Groups of the 1x1 convolutions: 1, 2, 3, 4 or 8.
        width: Factor on all channels.
        out_indices: Stages (from 0) whose map is returned; stage i has stride 2**(i + 1).
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        groups: int = 3,
        width: float = 1.0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = backbones.ShuffleNet(groups, width, out_indices)
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
