"""S4Net's segmentation branch as a mask head."""

from __future__ import annotations

from sod_plugins import networks
from sod_plugins.openmmlab.models.net_adapter import ModuleAdapter, adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(networks.S4NetMaskBranch)
class S4NetMaskHead(ModuleAdapter):
    """S4Net's segmentation branch as a mask head, for ``sod_plugins.S4Net``.

    It works in the frame of the preceding extractor. After RoIMasking a mask covers the image: its
    targets are resized to the map, the loss is computed inside the box, and masks are resized, not
    pasted. After RoIAlign and RoIPool it covers the box, as in mmdet's mask heads.

    Attributes:
        frames: The supported frames of extractors.
    """

    frames = ('image', 'box')
