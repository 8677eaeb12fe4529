"""RoIMasking as an RoI extractor of mmdet."""

from __future__ import annotations

from sod_plugins import layers
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.openmmlab.models.roi_extractors.roi_extractor_adapter import RoIExtractorAdapter
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(layers.RoIMasking)
class RoIMasking(RoIExtractorAdapter):
    """RoIMasking as an RoI extractor of mmdet (S4Net, Sec. 3.3).

    Its output covers the whole image: features in the box keep their sign, those around it are
    negated, and nothing is cropped or resampled. The mask head after it must therefore work in the
    frame of the image, like ``sod_plugins.S4NetMaskHead`` in ``sod_plugins.S4Net``.

    Warning:
        Inside mmdet's ``StandardRoIHead`` an extractor never sees its head. There, ``FCNMaskHead``
        and its relatives crop their targets to the box and paste their masks into it, so with this
        extractor they would train on wrong targets without any error. Use ``sod_plugins.S4Net``,
        which rejects the combination.
    """
