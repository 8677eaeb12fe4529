"""SAMNet's decoder as a decode head with deep supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sod_plugins.networks.samnet.decoder import SAMNetDecoder, upsample_logits
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class SAMNetHead(SaliencyDecodeHead):
    """Decoder of SAMNet (Sec. III-C): :class:`SAMNetDecoder` from a config, on any backbone.

    In training every level R_l has a map and a loss (Eq. 17): that of R_1 is called ``loss_bce``,
    those of the others, times ``side_loss_weight``, ``loss_bce_r2`` and so on. The maps are brought
    to the size of the mask, and in evaluation to that of the input, as ``upsampling`` says. The
    loss has no clamp, see :func:`~sod_plugins.networks.samnet.decoder.upsample_logits`.

    Args:
        in_channels: Channels of each map, finest first; two maps or more.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        channels: Channels of each level; by default ``in_channels``, as released.
        pyramid_pooling: Whether pyramid pooling is there (Tab. IV).
        kernel_sizes: Kernel of each fusion, finest first, see :class:`SAMNetDecoder`.
        dilations: Dilation of each fusion, likewise.
        dropout: Share of the channels that are dropped before each classifier in training.
        upsampling: What is resized, with aligned corners: ``'saliency'``, as released, or
            ``'logits'``.
        global_context: See :class:`SAMNetDecoder`.
        side_loss_weight: Weight lambda of the losses of R_2 and on.
        loss_decode: See :class:`SaliencyDecodeHead`.
        init_cfg: Initialisation; by default PyTorch's of every layer.

    Raises:
        ValueError: If the arguments do not fit each other.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        in_index: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        pyramid_pooling: bool = True,
        kernel_sizes: Sequence[int] | None = None,
        dilations: Sequence[int] | None = None,
        dropout: float = 0.1,
        upsampling: str = 'saliency',
        global_context: int | None = None,
        side_loss_weight: float = 0.4,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = SAMNetDecoder(
            in_channels,
            channels,
            pyramid_pooling,
            kernel_sizes,
            dilations,
            dropout,
            upsampling,
            global_context,
            side_loss_weight,
        )
        super().__init__(
            net,
            in_channels,
            net.channels[0],
            in_index=in_index,
            loss_decode=loss_decode,
            init_cfg=init_cfg,
        )

    def forward(self, inputs: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Map the backbone's maps to the logits of R_1; in training to all, as the decoder does."""
        maps: list[Tensor] = super().forward(inputs)
        return maps if self.training else maps[0]

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Tensor], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the logits of R_1 to the size of the (padded) input, (N, 1, H, W)."""
        main = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[0]
        meta = batch_img_metas[0]
        size = meta['img_shape']
        if not isinstance(size, torch.Size):  # which the host has for a window of slide inference
            size = meta.get('pad_shape', size)
        return upsample_logits(main, tuple(size[:2]), self.net.upsampling)
