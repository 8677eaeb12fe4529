"""ITDBU's iterative decoder as a decode head with deeper supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks import ITDBUDecoder, deeper_supervision_loss
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(ITDBUDecoder, without=('loss_decode',))
class ITDBUHead(SaliencyDecodeHead):
    """Decoder of ITDBU (Sec. 3) as a decode head, on any backbone.

    In addition to its losses, which ignore pixels of value 255 (mmseg's padding of masks), it logs
    ``bce_last``, the term of the final map alone, by which configs with different numbers of side
    outputs can be compared.
    """

    net: ITDBUDecoder

    def loss_by_feat(
        self, seg_logits: Sequence[Tensor], batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare all side outputs with the masks of the data samples."""
        masks = self._stack_batch_gt(batch_data_samples)
        last = self.net.labelled(seg_logits, self.net.last_step_only)[-1:]
        cross_entropy = deeper_supervision_loss(
            last, masks, mask_resize=self.net.mask_resize, ignore_value=self.ignore_index
        )
        losses = self.net.losses(seg_logits, masks, self.ignore_index)
        return {**losses, 'bce_last': cross_entropy.detach()}

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Tensor], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the last map's logits bilinearly to the size of the input, (N, 1, H, W)."""
        last = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[-1]
        return super().predict_by_feat(last, batch_img_metas)
