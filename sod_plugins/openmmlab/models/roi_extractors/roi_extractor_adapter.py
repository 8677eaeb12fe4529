"""The base class of RoI extractor adapters for mmdet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from sod_plugins.layers.roi_extractors import RoIExtractor
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter


class RoIExtractorAdapter(ModuleAdapter):
    """A plain RoI extractor of a single level, with the interface of mmdet's extractors.

    Args:
        featmap_strides: Strides of the levels that it is called with; by default only its own.

    Attributes:
        frame: ``'image'`` if its output covers the whole image, ``'box'`` if it covers the RoI,
            like that of all mmdet extractors.

    Raises:
        ValueError: The level that it uses is not among them.
    """

    net: RoIExtractor

    def __init__(
        self, *args: Any, featmap_strides: Sequence[int] | None = None, **arguments: Any
    ) -> None:
        super().__init__(*args, **arguments)
        net = self.net
        self.featmap_strides = [net.stride] if featmap_strides is None else list(featmap_strides)
        if net.stride not in self.featmap_strides:
            raise ValueError(
                f'{type(self).__name__} reads the level of stride {net.stride}: name it in '
                f'featmap_strides, which are {self.featmap_strides}.'
            )
        self.frame: str = net.frame
        self.stride: int = net.stride
        self.out_channels: int = net.out_channels

    @property
    def num_inputs(self) -> int:
        """Number of levels that it is called with."""
        return len(self.featmap_strides)

    def forward(self, feats: Tensor | Sequence[Tensor], rois: Tensor) -> Tensor:
        """Extract the features of RoIs.

        Args:
            feats: The levels of ``featmap_strides``, (N, C, h, w) each, or only the one it uses.
            rois: (K, 5), each (image index, x1, y1, x2, y2) in pixels of the input.

        Returns:
            (K, ``out_channels``, h', w').
        """
        if not isinstance(feats, Tensor):
            feats = feats[self.featmap_strides.index(self.stride)]
        return self.net(feats, rois)
