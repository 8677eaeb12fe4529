"""PiCANet's attentive U-Net decoder as a decode head for semantic segmentation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmseg.structures import SegDataSample
from torch import Tensor

from sod_plugins.networks import Decoded, PiCANetDecoder
from sod_plugins.openmmlab.models.decode_heads.semantic_decode_head import SemanticDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class PiCANetUNetHead(SemanticDecodeHead):
    """Semantic segmentation by :class:`PiCANetDecoder` (Sec. 5.6, second row of Tab. 3).

    The paper's has D_6 to D_3, on maps of 12x12 to 96x96 pixels that a VGG-16 without dilation
    makes of 384x384, and GAP with 12x12 samples next to each other. It calls the network similar to
    the saliency model and says no more: here every decoder is supervised as there, by ``loss_d6``
    and so on, and nothing supervises the attention, whose loss knows two classes only.

    Args:
        in_channels: Channels of each map, finest first.
        num_classes: Classes, without the ignored one.
        setting: Which decoders have which context, see :class:`PiCANetDecoder`, also for the rest
            up to ``init_std``.
        first_level: Likewise.
        channels: Likewise.
        out_channels: Likewise.
        gap_kernel_size: Likewise.
        gap_dilation: Likewise.
        local_kernel_size: Likewise.
        local_dilation: Likewise.
        renet_channels: Likewise.
        attention_channels: Likewise.
        attention_norm: Likewise.
        order: Likewise.
        tap_norm: Likewise.
        init_std: Likewise.
        level_weights: Weight of each decoder's loss, finest first; by default those of D_3 to D_6
            in the saliency model.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        ignore_index: See :class:`SemanticDecodeHead`, also for the rest.
        align_corners: Likewise.
        loss_decode: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a decoder, or there is not one weight for each.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        num_classes: int,
        setting: str = '6GAP_543LAP',
        first_level: int = 3,
        channels: Sequence[int] | None = None,
        out_channels: int | None = None,
        gap_kernel_size: int | tuple[int, int] = 12,
        gap_dilation: int | tuple[int, int] | None = None,
        local_kernel_size: int = 7,
        local_dilation: int = 2,
        renet_channels: int = 256,
        attention_channels: int = 128,
        attention_norm: bool = True,
        order: str | None = None,
        tap_norm: str = 'but_deepest',
        init_std: float | None = 0.01,
        level_weights: Sequence[float] = (0.8, 0.5, 0.5, 0.5),
        in_index: Sequence[int] | None = None,
        ignore_index: int = 255,
        align_corners: bool = False,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        if len(level_weights) != len(in_channels):
            raise ValueError(
                f'level_weights needs {len(in_channels)} entries, one per map, '
                f'got {tuple(level_weights)}.'
            )
        net = PiCANetDecoder(
            in_channels,
            setting,
            num_classes,
            channels=channels,
            out_channels=out_channels,
            first_level=first_level,
            gap_kernel_size=gap_kernel_size,
            gap_dilation=gap_dilation,
            local_kernel_size=local_kernel_size,
            local_dilation=local_dilation,
            renet_channels=renet_channels,
            attention_channels=attention_channels,
            attention_norm=attention_norm,
            order=order,
            tap_norm=tap_norm,
            init_std=init_std,
            level_weights=(0.0,) * (first_level - 1) + tuple(level_weights),
        )
        super().__init__(
            net,
            tuple(in_channels),
            net.out_channels,
            num_classes,
            in_index=tuple(range(len(in_channels)) if in_index is None else in_index),
            ignore_index=ignore_index,
            align_corners=align_corners,
            loss_decode=loss_decode,
            init_cfg=init_cfg,
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
