"""Networks of salient instances as models of detectron2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.layers import ShapeSpec
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks
from torch import Tensor, nn
from torch.nn import functional as F

from sod_plugins.detectron2.adapters import NetAdapter, adapts, arguments, configured
from sod_plugins.detectron2.segmentors import ImageModel, image_arguments, output_size
from sod_plugins.layers import RoIMasking
from sod_plugins.layers.roi_extractors import RoIExtractor
from sod_plugins.networks import S4NetFlow
from sod_plugins.networks.base import InstanceTensors
from sod_plugins.networks.registry import build_network
from sod_plugins.networks.s4net import S4NetHead, S4NetMaskBranch
from sod_plugins.networks.s4net.fpn import S4NetFPN as PlainFPN


class InstanceModel(ImageModel):
    """A model that finds salient instances, called as detectron2's detectors are.

    A sample has ``image`` (3, H, W) in 0..255, in training ``instances`` with ``gt_boxes`` and
    ``gt_masks`` (classes do not matter); and in evaluation ``height`` and ``width`` of the result.
    """

    def forward(self, batched_inputs: Sequence[Mapping[str, Any]]) -> Any:
        """Return the losses in training, and results in evaluation.

        Returns:
            In training, weighted losses by name. In evaluation, for each sample ``instances``,
            best first: ``pred_boxes``, ``scores``, ``pred_classes``, which are 0, and
            ``pred_masks`` (K, H, W), bool.
        """
        images = self.batch_of(batched_inputs)
        if self.training:
            size = (images.tensor.shape[-2], images.tensor.shape[-1])
            targets = [_target(sample['instances'], size, self.device) for sample in batched_inputs]
            losses: dict[str, Tensor] = self.flow.losses(images.tensor, targets)
            return losses
        sizes = [output_size(sample) for sample in batched_inputs]
        found = self.flow.find(images.tensor, images.image_sizes, sizes)
        return [
            {'instances': _instances(one, size)} for one, size in zip(found, sizes, strict=True)
        ]

    @property
    def flow(self) -> Any:
        """The network, with ``losses`` and ``find`` of :class:`sod_plugins.networks.S4NetFlow`."""
        raise NotImplementedError


def _target(truth: Instances, size: tuple[int, int], device: torch.device) -> dict[str, Tensor]:
    """Return the boxes (G, 4) and the padded masks (G, *size) of a sample."""
    masks = truth.gt_masks
    if isinstance(masks, PolygonMasks):
        masks = BitMasks.from_polygon_masks(masks, *truth.image_size)
    pixels = masks.tensor.to(device)
    below, right = size[0] - pixels.shape[-2], size[1] - pixels.shape[-1]
    return {
        'boxes': truth.gt_boxes.tensor.to(device),
        'masks': F.pad(pixels, (0, right, 0, below)),
    }


def _instances(found: InstanceTensors, size: tuple[int, int]) -> Instances:
    """Return what a network found as detectron2's instances."""
    return Instances(
        size,
        pred_boxes=Boxes(found.boxes),
        scores=found.scores,
        pred_classes=found.labels,
        pred_masks=found.masks,
    )


@adapts(PlainFPN, without=('in_channels',))
class S4NetFPN(NetAdapter, nn.Module):
    """S4Net's pyramid on the named maps of a backbone of detectron2.

    Args:
        input_shape: Channels and stride of the backbone's maps, by name.
        in_features: The maps that it takes; by default all of them.
    """

    def __init__(
        self,
        input_shape: Mapping[str, ShapeSpec],
        *,
        in_features: Sequence[str] = (),
        **given: Any,
    ) -> None:
        super().__init__()
        names = list(in_features) or list(input_shape)
        self.in_features = sorted(names, key=lambda name: input_shape[name].stride)
        channels = [input_shape[name].channels for name in self.in_features]
        self.net = self.plain(channels, **arguments(given))
        self.out_channels: int = self.net.arguments['out_channels']

    @classmethod
    def from_config(cls, cfg: Any, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        """Translate a config."""
        return {
            'input_shape': input_shape,
            'in_features': cfg.MODEL.FPN.IN_FEATURES,
            **arguments(cfg.SOD.NECK),
        }

    def forward(self, features: Mapping[str, Tensor]) -> Any:
        """Map the backbone's maps, by name, to the levels of the pyramid, finest first."""
        return self.net([features[name] for name in self.in_features])


@META_ARCH_REGISTRY.register()
@configured(ImageModel, without=('size_divisibility',))
class S4Net(S4NetFlow, InstanceModel):
    """Single-stage salient-instance detector (S4Net, Sec. 3) on any backbone of detectron2.

    What it computes is in :class:`sod_plugins.networks.S4NetFlow`, shared with the plain network
    of the same name. A config gives the parts' arguments in ``SOD.NECK``, ``SOD.HEAD``,
    ``SOD.ROI_EXTRACTOR`` and ``SOD.MASK_HEAD``, and the backbone's maps in
    ``MODEL.FPN.IN_FEATURES`` (none for all of them).

    Args:
        backbone: A backbone of detectron2 with maps of the head's first strides.
        neck: An :class:`S4NetFPN`.
        bbox_head: A :class:`sod_plugins.networks.S4NetHead`.
        roi_extractor: A :class:`sod_plugins.layers.RoIMasking`, or another extractor there.
        mask_head: A :class:`sod_plugins.networks.S4NetMaskBranch`.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        neck: nn.Module,
        bbox_head: S4NetHead,
        roi_extractor: RoIExtractor,
        mask_head: nn.Module,
        **image: Any,
    ) -> None:
        super().__init__(size_divisibility=backbone.size_divisibility, **image)
        self.backbone, self.neck, self.bbox_head = backbone, neck, bbox_head
        self.roi_extractor, self.mask_head = roi_extractor, mask_head

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Translate a config."""
        backbone = build_backbone(cfg)
        neck = S4NetFPN(**S4NetFPN.from_config(cfg, backbone.output_shape()))
        extractor = RoIMasking(neck.out_channels, **arguments(cfg.SOD.ROI_EXTRACTOR))
        return {
            'backbone': backbone,
            'neck': neck,
            'bbox_head': S4NetHead(neck.out_channels, **arguments(cfg.SOD.HEAD)),
            'roi_extractor': extractor,
            'mask_head': S4NetMaskBranch(extractor.out_channels, **arguments(cfg.SOD.MASK_HEAD)),
            **image_arguments(cfg),
        }

    @property
    def flow(self) -> S4Net:
        """This model itself."""
        return self


@META_ARCH_REGISTRY.register()
@configured(ImageModel, without=('size_divisibility',))
class NetworkDetector(InstanceModel):
    """Any registered network of instances as a whole.

    Args:
        network: The name of the network as ``type``, and its arguments; it has ``losses`` and
            ``find`` as :class:`sod_plugins.networks.S4NetFlow`.

    Raises:
        ValueError: There is no such network, or it finds no instances.
    """

    def __init__(
        self,
        *,
        network: Mapping[str, Any],
        **image: Any,
    ) -> None:
        super().__init__(**image)
        self.network: Any = build_network(arguments(network), 'instances')

    @classmethod
    def from_config(cls, cfg: Any) -> dict[str, Any]:
        """Translate a config."""
        return {'network': cfg.SOD.NETWORK, **image_arguments(cfg)}

    @property
    def flow(self) -> Any:
        """The registered network."""
        return self.network
