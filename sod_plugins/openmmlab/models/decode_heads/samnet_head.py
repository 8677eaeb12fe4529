"""SAMNet's decoder as a decode head with deep supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sod_plugins.networks.samnet.decoder import SAMNetDecoder, upsample_logits
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(SAMNetDecoder)
class SAMNetHead(SaliencyDecodeHead):
    """Decoder of SAMNet (Sec. III-C) as a decode head, on any backbone.

    In evaluation mode its map is resized to the input as ``upsampling`` says.
    """

    net: SAMNetDecoder

    def forward(self, inputs: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Map the backbone's maps to the logits of R_1, or of all levels in training mode."""
        maps: list[Tensor] = super().forward(inputs)
        return maps if self.training else maps[0]

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Tensor], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the logits of R_1 to the size of the (padded) input, (N, 1, H, W)."""
        main = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[0]
        meta = batch_img_metas[0]
        size = meta['img_shape']
        if not isinstance(size, torch.Size):  # in a window of slide inference
            size = meta.get('pad_shape', size)
        return upsample_logits(main, tuple(size[:2]), self.net.upsampling)
