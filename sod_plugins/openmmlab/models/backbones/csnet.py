"""CSNet's extractor as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from sod_plugins.networks import CSNetExtractor
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class CSNet(NetAdapter):
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
        frozen_stages: Last stage (from 0) whose parameters and statistics stay fixed; -1 for none.
        norm_eval: Whether BatchNorm keeps its statistics while training.
        init_cfg: Initialisation, for instance ``dict(type='Pretrained', checkpoint=...,
            prefix='backbone.')``; takes checkpoints of ``save_network`` and of training.

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
        super().__init__(init_cfg)
        self.net = CSNetExtractor(
            width, split_ratio, stage_blocks, out_indices, weight_scale, vanilla, block_widths
        )
        if not -1 <= frozen_stages < len(self.net.stages):
            raise ValueError(
                f'frozen_stages must be from -1 to {len(self.net.stages) - 1}, got {frozen_stages}.'
            )
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.net.stages[: frozen_stages + 1].requires_grad_(False)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Map normalised images (N, 3, H, W) to one map (N, C, H // s, W // s) per out index."""
        return self.net(images)

    def train(self, mode: bool = True) -> CSNet:
        """Switch to training, except for what is frozen."""
        super().train(mode)
        fixed = self.net if self.norm_eval else self.net.stages[: self.frozen_stages + 1]
        for module in fixed.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self
