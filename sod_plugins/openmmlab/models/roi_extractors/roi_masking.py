"""RoIMasking as an RoI extractor of mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sod_plugins import layers
from sod_plugins.openmmlab.models.roi_extractors.roi_extractor_adapter import RoIExtractorAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
class RoIMasking(RoIExtractorAdapter):
    """:class:`sod_plugins.layers.RoIMasking` from a config (S4Net, Sec. 3.3).

    Its output covers the whole image: the features in the box count positively, those around it
    negatively, and nothing is cropped or resampled. So the mask head after it has to work in the
    frame of the image, as ``sod_plugins.S4NetMaskHead`` in ``sod_plugins.S4Net`` does.

    Warning:
        Inside mmdet's ``StandardRoIHead`` an extractor never sees its head. ``FCNMaskHead`` and its
        relatives there crop their targets to the box and paste their masks into it, so with this
        extractor they would train on wrong targets without any error: use ``sod_plugins.S4Net``,
        which refuses the pair.

    Args:
        in_channels: Channels of the level.
        out_channels: Channels of the convolution before the masking; None leaves it out.
        stride: Stride of the level that is read.
        kernel_size: Of that convolution.
        mode: ``'ternary'``, ``'binary'`` or ``'expanded'``.
        alpha: By which share of its size the box is expanded on each side.
        quantized: Whether boxes are quantised to cells, as in the released code.
        negative_slicing: Whether to repeat the released code's slip at the upper and left border.
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
        mode: str = 'ternary',
        alpha: float = 1 / 3,
        quantized: bool = False,
        negative_slicing: bool = False,
        featmap_strides: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        net = layers.RoIMasking(
            in_channels,
            out_channels,
            stride,
            kernel_size,
            mode=mode,
            alpha=alpha,
            quantized=quantized,
            negative_slicing=negative_slicing,
        )
        super().__init__(net, featmap_strides, init_cfg)
