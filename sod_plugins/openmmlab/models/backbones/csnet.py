"""CSNet's extractor as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import CSNetExtractor
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class CSNet(BackboneAdapter):
    """Extractor of CSNet (Sec. 4, Tab. 2) as a backbone: :class:`CSNetExtractor` from a config.

    Args:
        width: Factor on the channels of every stage; 1 means 20, 40, 80 and 80 channels.
        split_ratio: Share of the high and the low resolution, C_H and C_L.
        stage_blocks: Blocks per stage.
        out_indices: Stages (from 0) whose merged map is returned; stage i has stride 2**i.
        weight_scale: Factor on the weights of depthwise convolutions.
        vanilla: Use vanilla OctConvs throughout (Tab. 6).
        block_widths: Learned output channels per scale of every block, in place of ``width`` and
            ``split_ratio``.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        width: float = 1.0,
        split_ratio: tuple[float, float] = (1, 1),
        stage_blocks: Sequence[int] = (4, 4, 6, 4),
        out_indices: Sequence[int] = (1, 2, 3),
        weight_scale: float = 100.0,
        vanilla: bool = False,
        block_widths: Sequence[Sequence[int]] | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = CSNetExtractor(
            width, split_ratio, stage_blocks, out_indices, weight_scale, vanilla, block_widths
        )
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
