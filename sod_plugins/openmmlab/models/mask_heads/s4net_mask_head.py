"""S4Net's segmentation branch as a mask head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins import networks
from sod_plugins.openmmlab.models.net_adapter import NetAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class S4NetMaskHead(NetAdapter):
    """:class:`sod_plugins.networks.S4NetMaskBranch` from a config, for ``sod_plugins.S4Net``.

    It works in the frame of the extractor before it. After RoIMasking a mask covers the image: its
    targets are resized to the map, the loss counts inside the box, and masks are resized, not
    pasted. After RoIAlign and RoIPool it covers the box, as mmdet's mask heads have it.

    Args:
        in_channels: Channels of the extractor's output.
        channels: Of the first stages and of the last one.
        kind: ``'dilated'``, the branch of Fig. 2(c), or ``'plain'``, Mask R-CNN's of Fig. 2(b).
        num_logits: 1, or 2 as in the released code, whose difference is the result.
        relu_logits: Whether the logits are rectified, as in the released code.
        init_std: Standard deviation of its initial weights; None is He's.
        init_cfg: Initialisation; by default the one of the plain module.

    Attributes:
        frames: The frames of extractors that it works in.

    Raises:
        ValueError: If the arguments do not describe a branch.
    """

    frames = ('image', 'box')

    def __init__(
        self,
        in_channels: int = 256,
        channels: Sequence[int] = (128, 64),
        *,
        kind: str = 'dilated',
        num_logits: int = 1,
        relu_logits: bool = False,
        init_std: float | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.net = networks.S4NetMaskBranch(
            in_channels,
            channels,
            kind=kind,
            num_logits=num_logits,
            relu_logits=relu_logits,
            init_std=init_std,
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map the features of RoIs (K, C, h, w) to mask logits (K, 1, h, w)."""
        return self.net(features)
