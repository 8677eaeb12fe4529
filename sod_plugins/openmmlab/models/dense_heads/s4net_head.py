"""S4Net's detection head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins import networks
from sod_plugins.networks import HeadOutputs, Proposals
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class S4NetHead(NetAdapter):
    """:class:`sod_plugins.networks.S4NetHead` from a config, for ``sod_plugins.S4Net``.

    Args:
        in_channels: See the plain class, also for the rest up to ``init_std``.
        channels: Likewise.
        strides: Likewise.
        ratios: Likewise.
        anchor_scale: Likewise.
        anchors: Likewise.
        positive_iou: Likewise.
        match_best: Likewise.
        delta_std: Likewise.
        beta: Likewise.
        objectness: Likewise.
        num_hard: Likewise.
        weights: Likewise.
        box_reduction: Likewise.
        offset: Likewise.
        max_candidates: Likewise.
        nms_iou: Likewise.
        num_proposals: Likewise.
        init_std: Likewise.
        init_cfg: Initialisation; by default the one of the plain module.

    Raises:
        ValueError: If the arguments do not describe a head.
    """

    def __init__(
        self,
        in_channels: int = 256,
        channels: int = 512,
        strides: Sequence[int] = (8, 16, 32, 64),
        *,
        ratios: Sequence[float] = (0.5, 1.0, 2.0),
        anchor_scale: float = 4,
        anchors: str = 'centred',
        positive_iou: float = 0.5,
        match_best: bool = False,
        delta_std: Sequence[float] = (0.1, 0.1, 0.2, 0.2),
        beta: float = 1.0,
        objectness: str = 'balanced',
        num_hard: int = 256,
        weights: Sequence[float] = (1.0, 1.0),
        box_reduction: str = 'mean',
        offset: int = 0,
        max_candidates: int = 5000,
        nms_iou: float = 0.4,
        num_proposals: int = 20,
        init_std: float | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.net = networks.S4NetHead(
            in_channels,
            channels,
            strides,
            ratios=ratios,
            anchor_scale=anchor_scale,
            anchors=anchors,
            positive_iou=positive_iou,
            match_best=match_best,
            delta_std=delta_std,
            beta=beta,
            objectness=objectness,
            num_hard=num_hard,
            weights=weights,
            box_reduction=box_reduction,
            offset=offset,
            max_candidates=max_candidates,
            nms_iou=nms_iou,
            num_proposals=num_proposals,
            init_std=init_std,
        )
        self.strides = self.net.strides

    def forward(self, levels: Sequence[Tensor]) -> HeadOutputs:
        """Map the levels (N, C, H_i, W_i) to objectness and box deltas of every anchor."""
        return self.net(levels)

    def loss(self, outputs: HeadOutputs, boxes: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compare outputs with the true boxes (G, 4) of each image."""
        return self.net.loss(outputs, boxes)

    def propose(self, outputs: HeadOutputs, sizes: Sequence[tuple[int, int]]) -> Proposals:
        """Return the best boxes of images of sizes (h, w)."""
        return self.net.propose(outputs, sizes)
