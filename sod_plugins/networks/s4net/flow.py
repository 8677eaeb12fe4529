"""Training and inference of S4Net from its five parts, here or in a host's detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sod_plugins.layers.mask_frames import MaskFrame, mask_frame, mask_loss
from sod_plugins.networks.base import InstanceTensors


class Detections(NamedTuple):
    """Instances of one image, best first, before their masks are resized.

    Attributes:
        boxes: (K, 4) x1, y1, x2, y2 in pixels of the network's input.
        scores: (K,) in [0, 1].
        maps: Probabilities (K, h, w) in the frame of the RoI extractor.
    """

    boxes: Tensor
    scores: Tensor
    maps: Tensor


class S4NetFlow:
    """Training and inference of S4Net (Sec. 3.2 and 4.1).

    The segmentation branch is trained on ground-truth boxes and tested on proposals.

    Attributes:
        backbone: Maps images (N, 3, H, W) to feature maps.
        neck: Maps these to the levels of a pyramid, see :class:`S4NetFPN`.
        bbox_head: Maps levels to boxes, see :class:`S4NetHead`.
        roi_extractor: Maps a level and regions to features, see :class:`RoIExtractor`.
        mask_head: Maps features to logits, see :class:`S4NetMaskBranch`.
    """

    backbone: Any
    neck: Any
    bbox_head: Any
    roi_extractor: Any
    mask_head: Any

    @property
    def mask_frame(self) -> MaskFrame:
        """The frame in which masks are predicted."""
        return mask_frame(self.roi_extractor.frame, self.roi_extractor.stride)

    def losses(self, images: Tensor, targets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """Return the three losses of Eq. 1, to be added up.

        Args:
            images: Normalised images (N, 3, H, W).
            targets: For each image ``boxes`` (G, 4) in pixels of the input and ``masks``
                (G, H, W), bool or in [0, 1]; G may be 0.

        Returns:
            ``loss_obj``, ``loss_box`` and ``loss_mask``.

        Raises:
            ValueError: The targets do not match the images or each other.
        """
        _check_targets(images, targets)
        levels = self.neck(self.backbone(images))
        boxes = [t['boxes'].float() for t in targets]
        losses: dict[str, Tensor] = self.bbox_head.loss(self.bbox_head(levels), boxes)
        logits = self._mask_logits(levels, _with_index(boxes))
        size = (logits.shape[2], logits.shape[3])
        masks = torch.cat([t['masks'] for t in targets])
        mask_targets, weights = self.mask_frame.targets(masks, torch.cat(boxes), size)
        return {**losses, 'loss_mask': mask_loss(logits, mask_targets, weights)}

    @torch.no_grad()
    def find(
        self,
        images: Tensor,
        sizes: Sequence[tuple[int, int]] | None = None,
        out_sizes: Sequence[tuple[int, int]] | None = None,
    ) -> list[InstanceTensors]:
        """Find instances and resize their masks; the entry point for predictors and hosts.

        Args:
            images: Normalised images (N, 3, H, W).
            sizes: Height and width of each image without padding; by default there is no padding.
            out_sizes: Height and width of the image to which boxes and masks refer; by default
                ``sizes``.

        Returns:
            The instances of each image, best first.

        Raises:
            ValueError: The network outputs NaN.
        """
        if sizes is None:
            sizes = [(images.shape[2], images.shape[3])] * len(images)
        boxes, scores, kept, maps = self.detect_padded(images, sizes)
        if not (scores.isfinite().all() and maps.isfinite().all()):
            raise ValueError(
                'The network gives NaN: its weights are broken. Use another checkpoint.'
            )
        return [
            self.instances_of(
                Detections(boxes[n][kept[n]], scores[n][kept[n]], maps[n][kept[n]]),
                out_size,
                (out_size[1] / size[1], out_size[0] / size[0]),
            )
            for n, (size, out_size) in enumerate(zip(sizes, out_sizes or sizes, strict=True))
        ]

    @torch.no_grad()
    def detect(
        self, images: Tensor, sizes: Sequence[tuple[int, int]] | None = None
    ) -> list[Detections]:
        """Find instances.

        Args:
            images: Normalised images (N, 3, H, W).
            sizes: Height and width of each image without padding; by default there is no padding.
        """
        boxes, scores, found, maps = self.detect_padded(images, sizes)
        return [
            Detections(b[f], s[f], m[f])
            for b, s, m, f in zip(boxes, scores, maps, found, strict=True)
        ]

    @torch.no_grad()
    def detect_padded(
        self, images: Tensor, sizes: Sequence[tuple[int, int]] | None = None
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Find instances with shapes that do not depend on values: for CUDA graphs and exporters.

        Returns:
            Boxes (N, P, 4), scores (N, P), a bool tensor (N, P) that is True for instances, and
            maps (N, P, h, w).
        """
        if sizes is None:
            sizes = [(images.shape[2], images.shape[3])] * len(images)
        levels = self.neck(self.backbone(images))
        boxes, scores, found = self.bbox_head.propose(self.bbox_head(levels), sizes)
        maps = self._mask_logits(levels, _with_index(boxes))[:, 0].float().sigmoid()
        return boxes, scores, found, maps.view(*boxes.shape[:2], *maps.shape[1:])

    def instances_of(
        self,
        detections: Detections,
        size: tuple[int, int],
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> InstanceTensors:
        """Return instances in an image of any size. The arguments are those of :meth:`masks_of`."""
        boxes, scores, _ = detections
        return InstanceTensors(
            boxes=boxes * boxes.new_tensor(scale).repeat(2),
            masks=self.masks_of(detections, size, scale),
            scores=scores,
            labels=torch.zeros_like(scores, dtype=torch.long),
        )

    def masks_of(
        self,
        detections: Detections,
        size: tuple[int, int],
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> Tensor:
        """Return the masks of instances at any size.

        Args:
            detections: Instances of one image.
            size: Height and width of the masks.
            scale: Columns and rows of the masks per pixel of the network's input.

        Returns:
            Masks (K, *size), bool.
        """
        return self.mask_frame.paste(detections.maps, detections.boxes, size, scale)

    def _mask_logits(self, levels: Sequence[Tensor], rois: Tensor) -> Tensor:
        level = self.bbox_head.strides.index(self.roi_extractor.stride)
        logits: Tensor = self.mask_head(self.roi_extractor(levels[level], rois))
        return logits


def _with_index(boxes: Sequence[Tensor] | Tensor) -> Tensor:
    """Join the boxes (G, 4) of all images to regions (K, 5) that start with the image index."""
    parts = [torch.cat([b.new_full((len(b), 1), i), b], 1) for i, b in enumerate(boxes)]
    return torch.cat(parts)


def _check_targets(images: Tensor, targets: Sequence[Mapping[str, Tensor]]) -> None:
    if len(targets) != len(images):
        raise ValueError(f'{len(images)} images need as many targets, got {len(targets)}.')
    for index, target in enumerate(targets):
        boxes, masks = tuple(target['boxes'].shape), tuple(target['masks'].shape)
        if boxes != (len(target['masks']), 4) or masks[1:] != tuple(images.shape[2:]):
            raise ValueError(
                f'Image {index} needs boxes (G, 4) and masks (G, {images.shape[2]}, '
                f'{images.shape[3]}), got {boxes} and {masks}.'
            )
