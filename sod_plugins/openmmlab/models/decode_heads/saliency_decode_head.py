"""The base of this package's decode heads: one channel of logits, soft masks, no leftovers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.ops import resize_bilinear

BINARY_CROSS_ENTROPY = {
    'type': 'mmseg.CrossEntropyLoss',
    'use_sigmoid': True,
    'avg_non_ignore': True,
    'loss_name': 'loss_bce',
}


class SaliencyDecodeHead(NetAdapter, BaseDecodeHead):
    """Decode head around a plain network that maps a pyramid to saliency logits.

    The loss compares logits, resized bilinearly to the mask's size, with a mask in [0, 1] whose
    edges may be soft: ``gt_sem_seg`` of shape (1, H, W), float32. Pixels of value 255, which mmseg
    pads masks with, do not count.

    Args:
        net: Maps a list of (N, C_i, H_i, W_i) to logits (N, 1, H_0, W_0).
        in_channels: Channels of each map that ``net`` takes.
        channels: Channels before its classifier.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        loss_decode: Loss, or several, that take logits (N, 1, H, W) and masks (N, H, W) as mmseg's
            do; by default the binary cross-entropy, averaged over the pixels.
        init_cfg: Initialisation; by default the one of ``net``.
    """

    def __init__(
        self,
        net: nn.Module,
        in_channels: Sequence[int],
        channels: int,
        *,
        in_index: Sequence[int] | None = None,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            tuple(in_channels),
            channels,
            num_classes=2,
            out_channels=1,
            threshold=0.5,
            dropout_ratio=0,
            in_index=tuple(range(len(in_channels)) if in_index is None else in_index),
            input_transform='multiple_select',
            loss_decode=loss_decode or BINARY_CROSS_ENTROPY,
            init_cfg=init_cfg,
        )
        del self.conv_seg  # ``net`` classifies; a spare classifier would never get a gradient
        self.net = net

    def forward(self, inputs: Sequence[Tensor]) -> Tensor:
        """Map the backbone's maps (N, C_i, H_i, W_i) to logits (N, 1, H_0, W_0)."""
        return self.net(self._transform_inputs(inputs))

    def loss_by_feat(
        self, seg_logits: Tensor, batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare logits (N, 1, h, w) with the masks of the data samples.

        The host's ``acc_seg`` is left out: for one channel it is the share of background pixels.
        """
        masks = self._stack_batch_gt(batch_data_samples).squeeze(1)
        return self.compare(resize_bilinear(seg_logits, masks.shape[-2:]), masks)

    def compare(self, logits: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Compare logits (N, 1, H, W) with masks (N, H, W); losses of one name add up."""
        several = isinstance(self.loss_decode, nn.ModuleList)
        losses = {}
        for term in self.loss_decode if several else [self.loss_decode]:
            loss = term(logits, masks, ignore_index=self.ignore_index)
            losses[term.loss_name] = losses.get(term.loss_name, 0) + loss
        return losses
