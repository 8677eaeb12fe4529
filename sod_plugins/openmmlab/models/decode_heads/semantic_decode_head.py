"""The base of this package's decode heads for semantic segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from torch import Tensor, nn

from sod_plugins.openmmlab.models.net_adapter import NetAdapter

CROSS_ENTROPY = {'type': 'mmseg.CrossEntropyLoss', 'avg_non_ignore': True}


class SemanticDecodeHead(NetAdapter, BaseDecodeHead):
    """Decode head around a plain network that maps features to the scores of classes.

    Scores and labels are compared at the size of the labels; pixels of ``ignore_index`` do not
    count.

    Args:
        net: Maps features, or a list of them, to scores (N, num_classes, H, W).
        in_channels: Channels of the map that ``net`` takes, or of each one.
        channels: Channels before its classifier.
        num_classes: Classes, without the ignored one.
        in_index: Which map of the backbone it takes, or which ones.
        ignore_index: Label of the pixels that do not count.
        align_corners: Whether the scores' resize aligns corner pixels.
        loss_decode: Loss, or several, as mmseg has them; by default the cross-entropy, averaged
            over the pixels that count.
        init_cfg: Initialisation; by default the one of ``net``.
    """

    def __init__(
        self,
        net: nn.Module,
        in_channels: int | Sequence[int],
        channels: int,
        num_classes: int,
        *,
        in_index: int | Sequence[int] = -1,
        ignore_index: int = 255,
        align_corners: bool = False,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            in_channels,
            channels,
            num_classes=num_classes,
            out_channels=num_classes,
            dropout_ratio=0,
            in_index=in_index,
            input_transform=None if isinstance(in_channels, int) else 'multiple_select',
            ignore_index=ignore_index,
            align_corners=align_corners,
            loss_decode=loss_decode or CROSS_ENTROPY,
            init_cfg=init_cfg,
        )
        del self.conv_seg  # ``net`` classifies; a spare classifier would never get a gradient
        self.net = net

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map the backbone's maps to scores (N, num_classes, H, W), before the softmax."""
        return self.net(self._transform_inputs(inputs))
