"""SAMNet's backbone as a backbone of the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks.backbones import SAMNetBackbone
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class SAMNet(BackboneAdapter):
    """Backbone of SAMNet (Tab. I): :class:`SAMNetBackbone` from a config.

    Args:
        width: Factor on the channels of all stages.
        channels: Channels of each stage.
        modules: SAM modules of each stage.
        dilations: Dilations of the branches in each stage.
        attention: Fusion of the branches: ``'none'``, ``'channel'``, ``'spatial'`` or
            ``'stereoscopic'``.
        shared_spatial: Whether one spatial map serves all branches, as released.
        out_indices: Stages (from 0) whose map is returned; stage i has stride 2**(i + 1).
        zero_init_residual: Whether every SAM module begins as the identity, which training from
            scratch needs.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        width: float = 1.0,
        channels: Sequence[int] = (16, 32, 64, 96, 128),
        modules: Sequence[int] = (1, 1, 3, 6, 3),
        dilations: Sequence[Sequence[int]] = ((1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2, 3), (1, 2)),
        attention: str = 'stereoscopic',
        shared_spatial: bool = True,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        zero_init_residual: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = SAMNetBackbone(
            width,
            channels,
            modules,
            dilations,
            attention,
            shared_spatial,
            out_indices,
            zero_init_residual,
        )
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
