"""PiCANet's attentive decoder as a decode head with deep supervision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins.networks import Decoded, PiCANetDecoder
from sod_plugins.networks.picanet.losses import GLOBAL_ATTENTION_WEIGHT, LEVEL_WEIGHTS
from sod_plugins.openmmlab.models.decode_heads.saliency_decode_head import SaliencyDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class PiCANetHead(SaliencyDecodeHead):
    """Decoder of PiCANet (Sec. 4.2): :class:`PiCANetDecoder` from a config, on any backbone.

    In training ``loss_d6`` to ``loss_d1`` are the weighted cross-entropies of the maps, and
    ``loss_global_attention`` and ``loss_local_attention`` those of the attention, where there is
    some, see :func:`~sod_plugins.networks.picanet.losses`; pixels of value 255, which mmseg pads
    masks with, do not count.

    ``in_channels`` must name all maps of the backbone if ``sod predict`` shall read the checkpoint:
    to leave some out, set the backbone's ``out_indices``.

    Args:
        in_channels: Channels of each map, finest first; two maps or more.
        in_index: Which maps of the backbone it takes; by default the first ``len(in_channels)``.
        setting: Which decoders have which context, see :class:`PiCANetDecoder`, also for the rest
            up to ``init_std``.
        channels: Likewise.
        gap_kernel_size: Likewise.
        gap_dilation: Likewise.
        local_kernel_size: Likewise.
        local_dilation: Likewise.
        renet_channels: Likewise.
        attention_channels: Likewise.
        attention_norm: Likewise.
        order: Likewise.
        upsample: Likewise.
        in_strides: Likewise.
        tap_norm: Likewise.
        init_std: Likewise.
        level_weights: Weights of the losses of D_1, D_2 and on.
        global_attention_weight: Weight of the global attention loss; 0 leaves it out.
        local_attention_weight: Weight of the local one.
        init_cfg: Initialisation; by default that of the decoder.

    Raises:
        ValueError: If the arguments do not describe a decoder.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        *,
        in_index: Sequence[int] | None = None,
        setting: str = '6GAP_5432AC',
        channels: Sequence[int] | None = None,
        gap_kernel_size: int | tuple[int, int] = 10,
        gap_dilation: int | tuple[int, int] | None = None,
        local_kernel_size: int = 7,
        local_dilation: int = 2,
        renet_channels: int = 256,
        attention_channels: int = 128,
        attention_norm: bool = True,
        order: str | None = None,
        upsample: str | None = None,
        in_strides: Sequence[int] | None = None,
        tap_norm: str = 'but_deepest',
        init_std: float | None = 0.01,
        level_weights: Sequence[float] = LEVEL_WEIGHTS,
        global_attention_weight: float = GLOBAL_ATTENTION_WEIGHT,
        local_attention_weight: float = 0.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = PiCANetDecoder(
            in_channels,
            setting,
            channels=channels,
            gap_kernel_size=gap_kernel_size,
            gap_dilation=gap_dilation,
            local_kernel_size=local_kernel_size,
            local_dilation=local_dilation,
            renet_channels=renet_channels,
            attention_channels=attention_channels,
            attention_norm=attention_norm,
            order=order,
            upsample=upsample,
            in_strides=in_strides,
            tap_norm=tap_norm,
            init_std=init_std,
            level_weights=level_weights,
            global_attention_weight=global_attention_weight,
            local_attention_weight=local_attention_weight,
        )
        super().__init__(net, in_channels, net.out_channels, in_index=in_index, init_cfg=init_cfg)

    def predict_by_feat(
        self, seg_logits: Tensor | Sequence[Decoded], batch_img_metas: list[dict[str, Any]]
    ) -> Tensor:
        """Resize the last map's logits bilinearly to the size of the input, (N, 1, H, W)."""
        last = seg_logits if isinstance(seg_logits, Tensor) else seg_logits[-1].logits
        return super().predict_by_feat(last, batch_img_metas)
