"""RoIMasking in the mask branch of detectron2's ``StandardROIHeads``.

Features and masks stay in the frame of the image: nothing is cropped or resampled. So the pooler
and the mask head belong together, and :class:`RoIMaskingHeads` builds both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.config import configurable
from detectron2.layers import ShapeSpec
from detectron2.modeling import ROI_HEADS_REGISTRY, ROI_MASK_HEAD_REGISTRY, StandardROIHeads
from detectron2.structures import BitMasks, Boxes, Instances, PolygonMasks, ROIMasks
from torch import Tensor, nn

from sod_plugins.detectron2.adapters import NetAdapter, adapts, arguments
from sod_plugins.layers import RoIMasking
from sod_plugins.layers.mask_frames import mask_frame, mask_loss
from sod_plugins.networks.s4net import S4NetMaskBranch


@adapts(RoIMasking, without=('in_channels',))
class RoIMaskingPooler(NetAdapter, nn.Module):
    """RoIMasking, called as detectron2's ``ROIPooler`` is; it reads one level.

    Args:
        input_shape: Channels and strides of the levels that it is called with, by name.

    Raises:
        ValueError: None of them has the stride that it reads.
    """

    def __init__(self, input_shape: Mapping[str, ShapeSpec], **given: Any) -> None:
        super().__init__()
        plain = arguments(given)
        stride = plain.get('stride', 8)
        strides = [shape.stride for shape in input_shape.values()]
        if stride not in strides:
            raise ValueError(
                f'RoIMaskingPooler reads the level of stride {stride}, but is given the strides '
                f'{strides}: correct stride, or the maps (MODEL.ROI_HEADS.IN_FEATURES).'
            )
        self.level = strides.index(stride)
        channels = list(input_shape.values())[self.level].channels
        self.net = self.plain(channels, **plain)

    @classmethod
    def from_config(cls, cfg: Any, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        """Translate a config."""
        return {'input_shape': input_shape, **arguments(cfg.SOD.ROI_EXTRACTOR)}

    def forward(self, x: Sequence[Tensor], box_lists: Sequence[Boxes]) -> Tensor:
        """Return the features (K, C, h, w) of boxes, each in the frame of its image."""
        rois = [
            torch.cat((boxes.tensor.new_full((len(boxes), 1), number), boxes.tensor), 1)
            for number, boxes in enumerate(box_lists)
        ]
        features: Tensor = self.net(x[self.level], torch.cat(rois))
        return features


class ImageMasks(ROIMasks):
    """Masks (K, h, w) in [0, 1] in the frame of their image, which convert to bit masks.

    Args:
        tensor: The masks.
        stride: Stride of their cells in pixels of the network's input.
        boxes: The boxes (K, 4) in pixels of the input, outside of which masks are empty.
        size: Height and width of the input.
    """

    def __init__(self, tensor: Tensor, stride: int, boxes: Tensor, size: tuple[int, int]) -> None:
        super().__init__(tensor)
        self.stride, self.boxes, self.size = stride, boxes, size

    def to(self, device: torch.device) -> ImageMasks:
        """Move to a device."""
        return ImageMasks(self.tensor.to(device), self.stride, self.boxes.to(device), self.size)

    def __getitem__(self, item: Any) -> ImageMasks:
        return ImageMasks(self.tensor[item], self.stride, self.boxes[item], self.size)

    def to_bitmasks(
        self, boxes: Tensor, height: int, width: int, threshold: float = 0.5
    ) -> BitMasks:
        """Return the masks at a size. The ``boxes`` and the ``threshold`` of 0.5 are fixed."""
        frame = mask_frame('image', self.stride)
        scale = (width / self.size[1], height / self.size[0])
        return BitMasks(frame.paste(self.tensor, self.boxes, (height, width), scale))


@ROI_MASK_HEAD_REGISTRY.register()
@adapts(S4NetMaskBranch, without=('in_channels',))
class ImageFrameMaskHead(NetAdapter, nn.Module):
    """S4Net's segmentation branch as a mask head of detectron2, behind :class:`RoIMaskingPooler`.

    Its loss counts inside each box, by area, see
    :class:`sod_plugins.layers.mask_frames.ImageFrame`. Masks do not depend on the class.

    Args:
        input_shape: Channels of the features, and the stride of their cells.
        loss_weight: A factor on the loss.
    """

    def __init__(self, input_shape: ShapeSpec, *, loss_weight: float = 1.0, **given: Any) -> None:
        super().__init__()
        self.frame = mask_frame('image', input_shape.stride)
        self.stride, self.loss_weight = input_shape.stride, loss_weight
        self.net = self.plain(input_shape.channels, **arguments(given))

    @classmethod
    def from_config(cls, cfg: Any, input_shape: ShapeSpec) -> dict[str, Any]:
        """Translate a config."""
        return {'input_shape': input_shape, **arguments(cfg.SOD.MASK_HEAD)}

    def forward(self, x: Tensor, instances: list[Instances]) -> Any:
        """Return the loss in training; in evaluation the instances, with ``pred_masks``."""
        logits = self.net(x)
        if self.training:
            return {'loss_mask': self.loss_weight * self._loss(logits, instances)}
        maps = logits[:, 0].float().sigmoid().split([len(one) for one in instances])
        for found, one in zip(maps, instances, strict=True):
            boxes = one.pred_boxes.tensor.clone()  # detectron2 scales them in place
            one.pred_masks = ImageMasks(found, self.stride, boxes, one.image_size)
        return instances

    def _loss(self, logits: Tensor, instances: Sequence[Instances]) -> Tensor:
        size = (logits.shape[2], logits.shape[3])
        targets, weights = [], []
        for one in instances:
            boxes = one.proposal_boxes.tensor
            truth = one.gt_masks
            if isinstance(truth, PolygonMasks):
                truth = BitMasks.from_polygon_masks(truth, *one.image_size)
            target, weight = self.frame.targets(truth.tensor.to(boxes.device), boxes, size)
            targets.append(target)
            weights.append(weight)
        return mask_loss(logits, torch.cat(targets), torch.cat(weights))


@ROI_HEADS_REGISTRY.register()
class RoIMaskingHeads(StandardROIHeads):
    """``StandardROIHeads`` whose mask branch is RoIMasking and an image-frame mask head.

    The head is ``MODEL.ROI_MASK_HEAD.NAME``, such as ``ImageFrameMaskHead``; arguments are those of
    ``SOD.ROI_EXTRACTOR`` and ``SOD.MASK_HEAD``. In a LazyConfig, give ``StandardROIHeads`` a
    ``mask_pooler`` and a ``mask_head`` of these classes.
    """

    @configurable
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    @classmethod
    def _init_mask_head(cls, cfg: Any, input_shape: Mapping[str, ShapeSpec]) -> dict[str, Any]:
        if not cfg.MODEL.MASK_ON:
            return {}
        in_features = cfg.MODEL.ROI_HEADS.IN_FEATURES
        shapes = {name: input_shape[name] for name in in_features}
        pooler = RoIMaskingPooler(**RoIMaskingPooler.from_config(cfg, shapes))
        shape = ShapeSpec(channels=pooler.net.out_channels, stride=pooler.net.stride)
        head = ROI_MASK_HEAD_REGISTRY.get(cfg.MODEL.ROI_MASK_HEAD.NAME)(cfg, shape)
        return {'mask_in_features': in_features, 'mask_pooler': pooler, 'mask_head': head}
