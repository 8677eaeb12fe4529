"""Attention to context (PiCANet) on the maps of any backbone of detectron2, an FPN's included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone.fpn import (
    build_resnet_fpn_backbone,
    build_retinanet_resnet_fpn_backbone,
)
from torch import Tensor

from sod_plugins.detectron2.adapters import NetAdapter, adapts, arguments
from sod_plugins.networks.picanet import PiCANetContextNeck


@adapts(PiCANetContextNeck, without=('in_channels',))
class PiCANetNeck(NetAdapter, Backbone):
    """A backbone whose maps attend to their context.

    The paper uses SSD, which detectron2 lacks: RetinaNet on an FPN takes its place.

    Args:
        bottom_up: The backbone, such as an FPN.
        contexts: Names of its maps, and ``'AC'``, ``'LAP'`` or ``'GAP'`` for each; the others stay
            unchanged.
    """

    def __init__(self, bottom_up: Backbone, contexts: Mapping[str, str], **given: Any) -> None:
        super().__init__()
        shapes = bottom_up.output_shape()
        if absent := sorted(set(contexts) - set(shapes)):
            raise ValueError(f'PiCANetNeck has contexts for {absent}; the maps are {list(shapes)}.')
        self.bottom_up = bottom_up
        channels = {name: shape.channels for name, shape in shapes.items()}
        chosen = [contexts.get(name, 'none') for name in shapes]
        self.net = self.plain(list(channels.values()), chosen, **arguments(given))
        self._out_features = list(shapes)
        self._out_feature_channels = channels
        self._out_feature_strides = {name: shape.stride for name, shape in shapes.items()}

    @classmethod
    def from_config(cls, cfg: Any, bottom_up: Backbone) -> dict[str, Any]:
        """Translate a config, whose ``SOD.NECK`` has the arguments."""
        return {'bottom_up': bottom_up, **arguments(cfg.SOD.NECK)}

    @property
    def size_divisibility(self) -> int:
        """Multiple that the sides of images are padded to, which is the backbone's."""
        divisibility: int = self.bottom_up.size_divisibility
        return divisibility

    @property
    def padding_constraints(self) -> dict[str, int]:
        """Constraints on the padding of images, which are the backbone's."""
        constraints: dict[str, int] = self.bottom_up.padding_constraints
        return constraints

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Map images (N, 3, H, W) to the backbone's maps by name, those chosen with context."""
        maps = self.bottom_up(images)
        attended = self.net([maps[name] for name in self._out_features])
        return dict(zip(self._out_features, attended, strict=True))


@BACKBONE_REGISTRY.register()
def build_picanet_fpn_backbone(cfg: Any, input_shape: Any) -> PiCANetNeck:
    """Build a PiCANetNeck on detectron2's ResNet with FPN."""
    return PiCANetNeck(cfg, build_resnet_fpn_backbone(cfg, input_shape))


@BACKBONE_REGISTRY.register()
def build_picanet_retinanet_fpn_backbone(cfg: Any, input_shape: Any) -> PiCANetNeck:
    """Build a PiCANetNeck on the FPN of detectron2's RetinaNet, with P6 and P7."""
    return PiCANetNeck(cfg, build_retinanet_resnet_fpn_backbone(cfg, input_shape))
