"""RoIAlign as an RoI extractor with the interface of RoIMasking."""

from __future__ import annotations

from sod_plugins import layers
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.openmmlab.models.roi_extractors.roi_extractor_adapter import RoIExtractorAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(layers.RoIAlign)
class RoIAlign(RoIExtractorAdapter):
    """RoIAlign as an RoI extractor of mmdet: the alternative to RoIMasking in S4Net's Tab. 1.

    Its output covers the box, like that of mmdet's extractors.
    """
