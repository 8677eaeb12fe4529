"""The base class of decode heads for semantic segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.models.losses import accuracy
from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.openmmlab.models.decode_heads._host_losses import apply_losses
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.ops import resize_bilinear


class SemanticDecodeHead(NetAdapter, BaseDecodeHead):
    """A decode head around a plain network that maps features to class scores.

    A subclass names its network with :func:`~sod_plugins.openmmlab.models.net_adapter.adapts`, and
    has its arguments.

    The losses are the network's own. Scores and labels are compared at the size of the labels;
    pixels of ``ignore_index`` are ignored.

    Args:
        num_classes: Number of classes, without the ignored one.
        in_index: Index or indices of the backbone's maps to use.
        ignore_index: Label of ignored pixels.
        align_corners: Whether resizing the scores aligns corner pixels.
        loss_decode: One or several losses in mmseg's form instead of the network's cross-entropy.
        init_cfg: Initialisation; by default the network's own.
    """

    net: Any

    def __init__(
        self,
        *,
        num_classes: int,
        in_index: int | Sequence[int] = -1,
        ignore_index: int = 255,
        align_corners: bool = False,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        net: Any = self.plain(num_classes=num_classes, **arguments)
        in_channels = net.arguments['in_channels']
        super().__init__(
            in_channels,
            net.out_channels,
            num_classes=num_classes,
            out_channels=num_classes,
            dropout_ratio=0,
            in_index=in_index,
            input_transform=None if isinstance(in_channels, int) else 'multiple_select',
            ignore_index=ignore_index,
            align_corners=align_corners,
            loss_decode=loss_decode or (),  # none: those of ``net``
            init_cfg=init_cfg,
        )
        del self.conv_seg  # ``net`` classifies; an unused classifier would never get a gradient
        self.net = net

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map the backbone's maps to scores (N, num_classes, H, W), before the softmax."""
        return self.net(self._transform_inputs(inputs))

    def loss_by_feat(
        self, seg_logits: Any, batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare scores (N, num_classes, h, w) with the labels of the data samples."""
        labels = self._stack_batch_gt(batch_data_samples)
        scores = self.resize(seg_logits, labels)
        if self.loss_decode:
            losses = self.compare(scores, labels)
        else:
            losses = self.net.losses(scores, labels, self.ignore_index)
        return {**losses, **self.accuracy(scores, labels)}

    def resize(self, scores: Tensor, labels: Tensor) -> Tensor:
        """Resize scores to the labels (N, 1, H, W)."""
        size = labels.shape[-2], labels.shape[-1]
        return resize_bilinear(scores, size, align_corners=self.align_corners)

    def compare(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Apply ``loss_decode`` to scores and labels (N, 1, H, W); sum equal names."""
        return apply_losses(self.loss_decode, scores, labels.squeeze(1), self.ignore_index)

    def accuracy(self, scores: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Return the pixel accuracy in per cent, as logged by the host."""
        share = accuracy(scores, labels.squeeze(1), ignore_index=self.ignore_index)
        return {'acc_seg': share}
