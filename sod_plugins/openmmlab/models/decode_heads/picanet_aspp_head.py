"""DeepLab's pyramid of dilations with PiCANet as a decode head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import PiCANetASPP
from sod_plugins.openmmlab.models.decode_heads.semantic_decode_head import SemanticDecodeHead
from sod_plugins.registry import MODELS


@MODELS.register_module()
class PiCANetASPPHead(SemanticDecodeHead):
    """Semantic segmentation by :class:`PiCANetASPP` from a config, on any backbone.

    Args:
        in_channels: Channels of the map that it takes.
        channels: Channels of Fc6 and Fc7, see :class:`PiCANetASPP`, also for the rest up to
            ``batch_norm``.
        num_classes: Classes, without the ignored one.
        context: Likewise.
        dilations: Likewise.
        context_kernel: Likewise.
        context_dilations: Likewise.
        context_channels: Likewise.
        context_norm: Likewise.
        attention_channels: Likewise.
        attention_norm: Likewise.
        join: Likewise.
        pool: Likewise.
        batch_norm: Likewise.
        dropout_ratio: Its ``dropout``.
        in_index: Which map of the backbone it takes; see :class:`SemanticDecodeHead`, also for the
            rest.
        ignore_index: Likewise.
        align_corners: Likewise.
        loss_decode: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        in_channels: int = 512,
        channels: int = 1024,
        *,
        num_classes: int,
        context: str = 'none',
        dilations: Sequence[int] = (6, 12, 18, 24),
        context_kernel: int = 7,
        context_dilations: Sequence[int] | None = None,
        context_channels: int | None = None,
        context_norm: bool = True,
        attention_channels: int = 128,
        attention_norm: bool = True,
        join: str = 'output',
        pool: bool = False,
        batch_norm: bool = False,
        dropout_ratio: float = 0.5,
        in_index: int = -1,
        ignore_index: int = 255,
        align_corners: bool = False,
        loss_decode: dict[str, Any] | Sequence[dict[str, Any]] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = PiCANetASPP(
            in_channels,
            num_classes,
            channels,
            context,
            dilations=dilations,
            context_kernel=context_kernel,
            context_dilations=context_dilations,
            context_channels=context_channels,
            context_norm=context_norm,
            attention_channels=attention_channels,
            attention_norm=attention_norm,
            join=join,
            pool=pool,
            batch_norm=batch_norm,
            dropout=dropout_ratio,
        )
        super().__init__(
            net,
            in_channels,
            channels,
            num_classes,
            in_index=in_index,
            ignore_index=ignore_index,
            align_corners=align_corners,
            loss_decode=loss_decode,
            init_cfg=init_cfg,
        )
