"""Instance masks in the frame in which they are predicted: targets, loss, and pasting back.

In the frame of the image, a map covers the whole input, and the loss counts only inside the box. In
the frame of the box, as in Mask R-CNN, the map covers the box.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from sod_plugins._common.choices import require_choice
from sod_plugins.ops.roi_align import paste_maps, roi_align
from sod_plugins.ops.roi_masking import roi_masks

Size = tuple[int, int]
PIXELS_AT_ONCE = 2**24  # of masks in floating point, 64 MiB


class MaskFrame:
    """The region of the input that the map of an instance covers.

    Args:
        stride: Stride of the feature map in pixels of the input.

    Attributes:
        lanczos: Whether Lanczos' kernel enlarges the maps, see :func:`~sod_plugins.ops.paste_maps`.
    """

    lanczos = False

    def __init__(self, stride: int) -> None:
        self.stride = stride

    def targets(self, masks: Tensor, boxes: Tensor, map_size: Size) -> tuple[Tensor, Tensor]:
        """Resize masks to the size of the maps.

        Args:
            masks: Instances (K, H, W) at the size of the input, bool or in [0, 1].
            boxes: Boxes of the instances, (K, 4) x1, y1, x2, y2 in pixels of the input.
            map_size: Rows and columns of the maps.

        Returns:
            Targets (K, *map_size) in [0, 1] and the weights of their cells, (K, *map_size).
        """
        raise NotImplementedError

    def regions(self, boxes: Tensor, map_size: Size) -> Tensor:
        """Return the rectangles (K or 1, 4) in pixels of the input that the maps cover."""
        raise NotImplementedError

    def paste(
        self,
        maps: Tensor,
        boxes: Tensor,
        size: Size,
        scale: tuple[float, float] = (1.0, 1.0),
    ) -> Tensor:
        """Return the masks of instances: the pixels inside their box where the map exceeds 0.5.

        Args:
            maps: Probabilities (K, h, w).
            boxes: (K, 4) in pixels of the input.
            size: Height and width of the masks.
            scale: Columns and rows of the masks per pixel of the input.

        Returns:
            Masks (K, *size), bool.
        """
        regions = _scale(self.regions(boxes, (maps.shape[1], maps.shape[2])), scale)
        inside = _pixels_inside(_scale(boxes, scale), size)
        chunk = max(1, PIXELS_AT_ONCE // (size[0] * size[1]))
        parts = []
        for i in range(0, len(maps), chunk):
            where = regions if len(regions) == 1 else regions[i : i + chunk]
            parts.append(paste_maps(maps[i : i + chunk], where, size, lanczos=self.lanczos) > 0.5)
        return torch.cat(parts).logical_and_(inside) if parts else inside


class ImageFrame(MaskFrame):
    """Maps of the whole image.

    The target of a cell is the fraction of its pixels that belong to the instance, and its weight
    is the fraction that lies in the box. Both are by area, like RoIMasking; the paper says only
    "cross-entropy similar to Mask R-CNN". The released code samples the mask at the cell's centre
    and counts whole cells. As there, maps are enlarged by Lanczos' kernel: where a person is only a
    few cells wide, bilinear interpolation would lose legs and arms.
    """

    lanczos = True

    def targets(self, masks: Tensor, boxes: Tensor, map_size: Size) -> tuple[Tensor, Tensor]:
        """Average the pixels of each cell; see :class:`MaskFrame`."""
        below = self.stride * map_size[0] - masks.shape[1]
        right = self.stride * map_size[1] - masks.shape[2]
        padded = F.pad(masks.float(), (0, right, 0, below))
        targets = F.avg_pool2d(padded[:, None], self.stride)[:, 0]
        return targets, roi_masks(_as_rois(boxes), map_size, 1 / self.stride, 'binary')

    def regions(self, boxes: Tensor, map_size: Size) -> Tensor:
        """Return the single rectangle of the whole map."""
        region = boxes.new_zeros(1, 4)
        region[:, 2], region[:, 3] = self.stride * map_size[1], self.stride * map_size[0]
        return region


class BoxFrame(MaskFrame):
    """Maps of the boxes. The target of a cell is whether most of it belongs to the instance."""

    def targets(self, masks: Tensor, boxes: Tensor, map_size: Size) -> tuple[Tensor, Tensor]:
        """Crop the boxes; see :class:`MaskFrame`."""
        cut_out = roi_align(masks[:, None].float(), _as_rois(boxes, True), map_size, 1.0)[:, 0]
        targets = (cut_out >= 0.5).float()
        return targets, torch.ones_like(targets)

    def regions(self, boxes: Tensor, map_size: Size) -> Tensor:
        """Return the boxes."""
        return boxes


Frame = Literal['image', 'box']
FRAMES: dict[Frame, type[MaskFrame]] = {'image': ImageFrame, 'box': BoxFrame}


def mask_frame(name: Frame, stride: int) -> MaskFrame:
    """Return the frame of an extractor, by its attributes ``frame`` and ``stride``.

    Raises:
        ValueError: The frame is unknown.
    """
    require_choice('frame', name, FRAMES)
    return FRAMES[name](stride)


def mask_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted mean of the cross-entropy over the cells of all instances.

    Args:
        logits: (K, 1, h, w).
        targets: (K, h, w) in [0, 1].
        weights: (K, h, w).

    Returns:
        A scalar; a differentiable 0 if all weights are zero.
    """
    loss = F.binary_cross_entropy_with_logits(
        logits[:, 0].float(), targets, weights, reduction='sum'
    )
    return loss / weights.sum().clamp(min=1)


def _as_rois(boxes: Tensor, own_images: bool = False) -> Tensor:
    """Prepend an image index to boxes: 0, or a separate image for each."""
    index = torch.arange(len(boxes), device=boxes.device).to(boxes)[:, None]
    return torch.cat([index if own_images else torch.zeros_like(index), boxes], 1)


def _scale(boxes: Tensor, scale: tuple[float, float]) -> Tensor:
    """Multiply the columns and rows of boxes (K, 4); without copying from host to device."""
    return torch.stack([boxes[:, axis] * scale[axis % 2] for axis in range(4)], 1)


def _pixels_inside(boxes: Tensor, size: Size) -> Tensor:
    """Return which pixels (K, *size) have their centre in boxes (K, 4)."""
    y, x = (torch.arange(n, device=boxes.device) + 0.5 for n in size)
    rows = (y >= boxes[:, 1:2]) & (y < boxes[:, 3:4])
    columns = (x >= boxes[:, 0:1]) & (x < boxes[:, 2:3])
    return rows[:, :, None] & columns[:, None, :]
