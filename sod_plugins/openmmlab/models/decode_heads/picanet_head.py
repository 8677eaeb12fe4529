"""PiCANet's attentive decoder as a decode head with deep supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins.networks import Decoded, PiCANetDecoder
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(PiCANetDecoder, without=('num_classes', 'out_channels', 'first_level', 'loss_decode'))
class PiCANetHead(SaliencyDecodeHead):
    """Decoder of PiCANet (Sec. 4.2) as a decode head, on any backbone.

    Its losses ignore pixels of value 255, with which mmseg pads masks.
    """

    net: PiCANetDecoder

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Decoded], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the last map's logits bilinearly to the size of the input, (N, 1, H, W)."""
        last = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[-1].logits
        return super().predict_by_feat(last, batch_img_metas)
