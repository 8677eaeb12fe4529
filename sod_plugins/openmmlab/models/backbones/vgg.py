"""VGG as a backbone of the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class VGG(BackboneAdapter):
    """VGG, plain or as DeepLab has it: :class:`sod_plugins.networks.backbones.VGG` from a config.

    Args:
        depth: 11, 13, 16 or 19 layers, three of which belong to the classifier left out.
        batch_norm: Whether BatchNorm follows every convolution of the five stages.
        width: Factor on the channels of all five stages.
        out_indices: Stages (from 0) whose map is returned; stage i < 5 has stride 2**i, and
            5 is Fc7.
        pool_size: Side of the pooling windows of stride 2; 3 is DeepLab's.
        pool_strides: Stride of the pooling behind each stage.
        dilations: Dilation of the convolutions of each stage.
        fc_channels: Channels of Fc6 and Fc7 as convolutions; None leaves them out.
        fc_dilation: Dilation of Fc6.
        dropout: Share of dropped values between Fc6 and Fc7.
        pre_activation: Whether the maps of the five stages are those before their last ReLU.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        depth: int = 16,
        batch_norm: bool = False,
        width: float = 1.0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        pool_size: int = 2,
        pool_strides: Sequence[int] = (2, 2, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1, 1),
        fc_channels: int | None = None,
        fc_dilation: int = 1,
        dropout: float = 0.5,
        pre_activation: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = backbones.VGG(
            depth,
            batch_norm,
            width,
            out_indices,
            pool_size=pool_size,
            pool_strides=pool_strides,
            dilations=dilations,
            fc_channels=fc_channels,
            fc_dilation=fc_dilation,
            dropout=dropout,
            pre_activation=pre_activation,
        )
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
