"""This package's feature extractors as backbones of detectron2."""

from __future__ import annotations

from typing import Any

from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import Tensor, nn

from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
from sod_plugins.detectron2.adapters import NetAdapter, adapts, arguments
from sod_plugins.networks import CSNetBackbone, backbones
from sod_plugins.networks.backbones import SAMNetBackbone


class BackboneAdapter(NetAdapter, Backbone):
    """A plain extractor that returns its maps by name.

    Maps are called ``stage0``, ``stage1`` and so on, by their stage. A config names the class in
    ``MODEL.BACKBONE.NAME``, its arguments in ``SOD.BACKBONE`` and the others here in
    ``MODEL.BACKBONE.FREEZE_AT``, ``SOD.NORM_EVAL`` and ``SOD.BACKBONE_WEIGHTS``.

    Args:
        freeze_at: Number of first stages whose parameters and statistics stay fixed.
        norm_eval: Whether BatchNorm keeps its statistics while training.
        size_divisibility: Multiple that the sides of images are padded to. Every backbone here
            takes images of any size, so the default of 0 pads them only to the largest one.
        weights: A file, a URL or a package with the extractor's own weights, see
            :func:`sod_plugins.checkpoints.backbone_weights.load_backbone_weights`.

    Raises:
        ValueError: There is no such stage to freeze, or the weights do not fit.
        OSError: The weights cannot be read.
    """

    def __init__(
        self,
        *args: Any,
        freeze_at: int = 0,
        norm_eval: bool = False,
        size_divisibility: int = 0,
        weights: str = '',
        **given: Any,
    ) -> None:
        super().__init__()
        self.net = self.plain(*args, **arguments(given))
        if weights:
            load_backbone_weights(self.net, weights)
        stages = self.net.stages
        if not 0 <= freeze_at <= len(stages):
            raise ValueError(f'freeze_at must be from 0 to {len(stages)}, got {freeze_at}.')
        self.freeze_at, self.norm_eval = freeze_at, norm_eval
        self._size_divisibility = size_divisibility
        stages[:freeze_at].requires_grad_(False)
        self.train()
        self.describe_features()

    def describe_features(self) -> None:
        """Read the names, channels and strides of the maps off the extractor."""
        names = [self.feature_name(index) for index in self.net.out_indices]
        self._out_features = names
        self._out_feature_channels = dict(zip(names, self.net.out_channels, strict=True))
        self._out_feature_strides = dict(zip(names, self.net.out_strides, strict=True))

    @classmethod
    def from_config(cls, cfg: Any, input_shape: Any = None) -> dict[str, Any]:
        """Translate a config."""
        return {
            'freeze_at': cfg.MODEL.BACKBONE.FREEZE_AT,
            'norm_eval': cfg.SOD.NORM_EVAL,
            'weights': cfg.SOD.BACKBONE_WEIGHTS,
            **arguments(cfg.SOD.BACKBONE),
        }

    @staticmethod
    def feature_name(index: int) -> str:
        """Name the map of a stage, counted from 0."""
        return f'stage{index}'

    @property
    def size_divisibility(self) -> int:
        """Multiple that the sides of images are padded to; 0 for no padding."""
        return self._size_divisibility

    def train(self, mode: bool = True) -> BackboneAdapter:
        """Switch to training, except for what is frozen."""
        super().train(mode)
        self.net.stages[: self.freeze_at].eval()
        if self.norm_eval:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map normalised images (N, 3, H, W), RGB, to maps by name, finest first."""
        return dict(zip(self._out_features, self.net(images), strict=True))


@BACKBONE_REGISTRY.register()
@adapts(CSNetBackbone)
class CSNet(BackboneAdapter):
    """CSNet's extractor (Sec. 4, Tab. 2) as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(SAMNetBackbone)
class SAMNet(BackboneAdapter):
    """SAMNet's backbone (Tab. I) as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(backbones.VGG)
class VGG(BackboneAdapter):
    """VGG, plain or with DeepLab's changes, as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(backbones.ResNet)
class ResNet(BackboneAdapter):
    """ResNet as a backbone of detectron2, with the map of its stem.

    Maps have the names of detectron2's own ResNet: ``stem``, ``res2``, ..., ``res5``.
    """

    @staticmethod
    def feature_name(index: int) -> str:
        """Name the map of a stage as detectron2 does."""
        return f'res{index + 1}' if index else 'stem'


@BACKBONE_REGISTRY.register()
@adapts(backbones.MobileNet)
class MobileNet(BackboneAdapter):
    """MobileNet as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(backbones.ShuffleNet)
class ShuffleNet(BackboneAdapter):
    """ShuffleNet as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(backbones.ShuffleNetV2)
class ShuffleNetV2(BackboneAdapter):
    """ShuffleNetV2 as a backbone of detectron2."""


@BACKBONE_REGISTRY.register()
@adapts(backbones.EfficientNetLite)
class EfficientNetLite(BackboneAdapter):
    """EfficientNet-Lite as a backbone of detectron2.

    Normalise images by a mean of 127 and a standard deviation of 128.
    """
