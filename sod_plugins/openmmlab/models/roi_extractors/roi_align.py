"""RoIAlign as an RoI extractor with the interface of RoIMasking."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins import layers
from sod_plugins.openmmlab.models.roi_extractors.roi_extractor_adapter import RoIExtractorAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class RoIAlign(RoIExtractorAdapter):
    """:class:`sod_plugins.layers.RoIAlign` from a config: the twin of RoIMasking in S4Net's Tab. 1.

    Its output covers the box, as that of mmdet's extractors does.

    Args:
        in_channels: Channels of the level.
        out_channels: Channels of the convolution before the operator; None leaves it out.
        stride: Stride of the level that is read.
        kernel_size: Of that convolution.
        output_size: Cells on each side of the output.
        sampling_ratio: Samples on each side of a cell.
        featmap_strides: See :class:`RoIExtractorAdapter`.
        init_cfg: Likewise.

    Raises:
        ValueError: If the arguments do not describe an extractor.
    """

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int | None = 256,
        stride: int = 8,
        kernel_size: int = 1,
        *,
        output_size: int = 28,
        sampling_ratio: int = 2,
        featmap_strides: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = layers.RoIAlign(
            in_channels,
            out_channels,
            stride,
            kernel_size,
            output_size=output_size,
            sampling_ratio=sampling_ratio,
        )
        super().__init__(net, featmap_strides, init_cfg)
