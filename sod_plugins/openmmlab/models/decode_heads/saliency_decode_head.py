"""The base class of saliency decode heads: one channel of logits, soft masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.models.decode_heads.decode_head import BaseDecodeHead
from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks.base import SaliencyDecoder
from sod_plugins.openmmlab.models.decode_heads._host_losses import apply_losses
from sod_plugins.openmmlab.models.net_adapter import NetAdapter


class SaliencyDecodeHead(NetAdapter, BaseDecodeHead):
    """A decode head around a plain decoder that maps a pyramid to saliency logits.

    A subclass names its decoder with :func:`~sod_plugins.openmmlab.models.net_adapter.adapts`, and
    has its arguments.

    The losses are the decoder's own. They compare its maps with a mask in [0, 1] that may have soft
    edges: ``gt_sem_seg`` of shape (1, H, W), float32. Pixels of value 255, with which mmseg pads
    masks, are ignored.

    Args:
        in_index: Indices of the backbone's maps to use; by default the first
            ``len(in_channels)``. ``sod predict`` reads only checkpoints of heads that use all: to
            omit some, set the backbone's ``out_indices``.
        loss_decode: One or several losses instead of the decoder's binary cross-entropy. They take
            logits (N, 1, H, W) and masks (N, H, W), like mmseg's.
        init_cfg: Initialisation; by default the decoder's own.
    """

    net: SaliencyDecoder

    def __init__(
        self,
        *args: Any,
        in_index: Sequence[int] | None = None,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        net: Any = self.plain(*args, **arguments)
        in_channels = net.arguments['in_channels']
        super().__init__(
            tuple(in_channels),
            net.out_channels,
            num_classes=2,
            out_channels=1,
            threshold=0.5,
            dropout_ratio=0,
            in_index=tuple(range(len(in_channels)) if in_index is None else in_index),
            input_transform='multiple_select',
            loss_decode=loss_decode or (),  # none: those of ``net``
            init_cfg=init_cfg,
        )
        del self.conv_seg  # ``net`` classifies; an unused classifier would never get a gradient
        self.net = net

    def forward(self, inputs: Sequence[Tensor]) -> Any:
        """Map the backbone's maps (N, C_i, H_i, W_i) to logits (N, 1, H_0, W_0)."""
        return self.net(self._transform_inputs(inputs))

    def loss_by_feat(
        self, seg_logits: Any, batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare the outputs of :meth:`forward` with the masks of the data samples.

        The host's ``acc_seg`` is omitted: for one channel it is the fraction of background pixels.
        """
        masks = self._stack_batch_gt(batch_data_samples)
        if not self.loss_decode:
            return self.net.losses(seg_logits, masks, self.ignore_index)
        losses = {}
        terms = self.net.supervised(seg_logits, masks.shape[-2:])
        for suffix, (logits, weight) in terms.items():
            for name, loss in self.compare(logits, masks.squeeze(1)).items():
                losses[name + suffix] = weight * loss
        return losses

    def compare(self, logits: Tensor, masks: Tensor) -> dict[str, Tensor]:
        """Apply ``loss_decode`` to logits (N, 1, H, W) and masks (N, H, W); sum equal names."""
        return apply_losses(self.loss_decode, logits, masks, self.ignore_index)
