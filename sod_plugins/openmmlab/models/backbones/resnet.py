"""ResNet as a backbone of the hosts, its stem's map among the returned ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class ResNet(BackboneAdapter):
    """ResNet with its stem's map: :class:`sod_plugins.networks.backbones.ResNet` from a config.

    Args:
        depth: 18, 34, 50, 101 or 152 layers.
        out_indices: Stages (from 0) whose map is returned: 0 is the stem's (stride 2), 1 to 4
            are C2 to C5, one more than in the hosts' ``ResNet``.
        strides: Stride of the first block of stages 1 to 4.
        dilations: Dilation of all 3x3 convolutions of stages 1 to 4.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        depth: int = 50,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = backbones.ResNet(depth, out_indices, strides=strides, dilations=dilations)
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
