"""PiCANet's attentive U-Net decoder as a decode head for semantic segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks import Decoded, PiCANetDecoder
from sod_plugins.openmmlab.models.decode_heads.semantic_decode_head import SemanticDecodeHead
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(PiCANetDecoder, without=('global_attention_weight', 'local_attention_weight'))
class PiCANetUNetHead(SemanticDecodeHead):
    """Semantic segmentation by the decoder of PiCANet (Sec. 5.6, second row of Tab. 3).

    The paper's network has D_6 to D_3, on maps of 12x12 to 96x96 pixels from a VGG-16 without
    dilation at 384x384, and GAP with 12x12 adjacent samples. The paper calls the network similar to
    the saliency model and says no more. Here every decoder is supervised as in that model, by
    ``loss_d6`` etc., and attention is not supervised, because its loss is for two classes only.

    Args:
        level_weights: Weight of each decoder's loss, finest first; by default those of D_3 to D_6
            in the saliency model.
        in_index: Indices of the backbone's maps to use; by default the first ``len(in_channels)``.

    Raises:
        ValueError: The arguments do not describe a decoder, or do not give one weight for each.
    """

    def __init__(
        self,
        *,
        setting: str = '6GAP_543LAP',
        first_level: int = 3,
        gap_kernel_size: int | tuple[int, int] = 12,
        level_weights: Sequence[float] = (0.8, 0.5, 0.5, 0.5),
        in_index: Sequence[int] | None = None,
        **arguments: Any,
    ) -> None:
        in_channels = arguments['in_channels']
        if len(level_weights) != len(in_channels):
            raise ValueError(
                f'level_weights needs {len(in_channels)} entries, one per map, '
                f'got {tuple(level_weights)}.'
            )
        super().__init__(
            setting=setting,
            first_level=first_level,
            gap_kernel_size=gap_kernel_size,
            level_weights=(0.0,) * (first_level - 1) + tuple(level_weights),
            in_index=tuple(range(len(in_channels)) if in_index is None else in_index),
            **arguments,
        )

    def loss_by_feat(
        self, seg_logits: Sequence[Decoded], batch_data_samples: list[SegDataSample]
    ) -> dict[str, Tensor]:
        """Compare the scores of all decoders with the labels of the data samples."""
        labels = self._stack_batch_gt(batch_data_samples)
        outputs = [d._replace(logits=self.resize(d.logits, labels)) for d in seg_logits]
        if not self.loss_decode:
            losses = self.net.losses(outputs, labels, self.ignore_index)
        else:
            losses = {
                f'loss_d{decoder.level}': self.net.level_weights[decoder.level - 1]
                * sum(self.compare(decoded.logits, labels).values())
                for decoder, decoded in zip(self.net.decoders, outputs, strict=True)
            }
        return {**losses, **self.accuracy(outputs[-1].logits, labels)}

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Decoded], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the last decoder's scores to the size of the input, (N, num_classes, H, W)."""
        last = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[-1].logits
        return super().predict_by_feat(last, batch_img_metas)
