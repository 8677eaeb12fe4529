"""ShuffleNetV2 as a backbone of the hosts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class ShuffleNetV2(BackboneAdapter):
    """:class:`sod_plugins.networks.backbones.ShuffleNetV2` from a config.

    Args:
        width: 0.5, 1, 1.5 or 2, the paper's factors on the channels.
        out_indices: Stages (from 0) whose map is returned; stage i has stride 2**(i + 1).
        last_conv: Whether the last stage ends with the 1x1 convolution before the classifier.
        frozen_stages: See :class:`BackboneAdapter`, also for the next two.
        norm_eval: Likewise.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe a network.
    """

    def __init__(
        self,
        width: float = 1.0,
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        last_conv: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = backbones.ShuffleNetV2(width, out_indices, last_conv)
        super().__init__(net, frozen_stages, norm_eval, init_cfg)
