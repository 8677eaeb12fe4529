"""Boxes: overlap, encoding relative to anchors, and non-maximum suppression.

A box is x1, y1, x2, y2 in pixels. With ``offset`` 0 its width is x2 - x1. With 1, the convention of
the first R-CNNs, x2 and y2 are the last pixels inside, and the width is x2 - x1 + 1.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_LOG_SCALE = 20.0  # of decoded sizes, which keeps exp() finite as in the released code


def box_iou(boxes: Tensor, others: Tensor, offset: int = 0) -> Tensor:
    """Return the intersection over union of boxes (..., G, 4) with others (..., M, 4).

    Returns:
        Values (..., G, M) in [0, 1]; 0 if both boxes have no area.
    """
    boxes, others = boxes[..., :, None, :], others[..., None, :, :]
    starts = boxes[..., :2].maximum(others[..., :2])
    ends = boxes[..., 2:].minimum(others[..., 2:])
    inside = (ends - starts + offset).clamp(min=0).prod(-1)
    union = _area(boxes, offset) + _area(others, offset) - inside
    return inside / union.clamp(min=torch.finfo(union.dtype).tiny)


def encode_boxes(boxes: Tensor, anchors: Tensor, offset: int = 0) -> Tensor:
    """Encode boxes (..., 4) relative to anchors (..., 4), as in R-CNN.

    Returns:
        Deltas (..., 4): the shift of the centre in widths and heights of the anchor, and the
        logarithms of the ratios of widths and of heights.
    """
    sizes = _sizes(boxes, offset).clamp(min=1e-6)
    anchor_sizes = _sizes(anchors, offset)
    shift = (boxes[..., :2] + sizes / 2 - anchors[..., :2] - anchor_sizes / 2) / anchor_sizes
    return torch.cat([shift, (sizes / anchor_sizes).log()], -1)


def decode_boxes(deltas: Tensor, anchors: Tensor, offset: int = 0) -> Tensor:
    """Return the boxes (..., 4) that deltas (..., 4) encode: undo :func:`encode_boxes`."""
    anchor_sizes = _sizes(anchors, offset)
    centres = anchors[..., :2] + anchor_sizes / 2 + deltas[..., :2] * anchor_sizes
    sizes = deltas[..., 2:].clamp(max=MAX_LOG_SCALE).exp() * anchor_sizes
    starts = centres - sizes / 2
    return torch.cat([starts, starts + sizes - offset], -1)


def clip_boxes(boxes: Tensor, sizes: Tensor, offset: int = 0) -> Tensor:
    """Clip boxes to their image.

    Args:
        boxes: (N, M, 4).
        sizes: Height and width of each image (N, 2).
        offset: See the module.
    """
    limits = (sizes.flip(-1) - offset).repeat(1, 2)[:, None].to(boxes)
    return boxes.clamp(min=0).minimum(limits)


def nms(
    boxes: Tensor, scores: Tensor, iou_threshold: float, max_keep: int, offset: int = 0
) -> tuple[Tensor, Tensor]:
    """Greedily keep the best boxes, dropping boxes that overlap a better one too much.

    Exact, and batched: each of ``max_keep`` steps takes the best remaining box of every image and
    drops the boxes that overlap it. This computes ``max_keep * M`` overlaps instead of the M^2 of
    all pairs, and shapes do not depend on values, so it can be exported or captured as a graph.
    Among equal scores the first box wins.

    Args:
        boxes: (N, M, 4).
        scores: (N, M); boxes with score minus infinity are never kept.
        iou_threshold: A box is dropped if its intersection over union is larger.
        max_keep: The largest number of boxes to keep in each image.
        offset: See the module.

    Returns:
        Indices (N, min(max_keep, M)), best first, and a bool tensor of the same shape that is False
        where fewer boxes are left.
    """
    areas = _area(boxes, offset)
    left = scores
    kept: list[Tensor] = []
    found: list[Tensor] = []
    for _ in range(min(max_keep, boxes.shape[1])):
        best, index = left.max(1, keepdim=True)
        kept.append(index)
        found.append(best > -torch.inf)
        winner = boxes.gather(1, index[:, :, None].expand(-1, -1, 4))
        starts, ends = (
            boxes[..., :2].maximum(winner[..., :2]),
            boxes[..., 2:].minimum(winner[..., 2:]),
        )
        inside = (ends - starts + offset).clamp(min=0).prod(-1)
        # Without a division, which would cost as much as everything else.
        overlaps = inside > iou_threshold * (areas + areas.gather(1, index) - inside)
        left = left.masked_fill(overlaps, -torch.inf).scatter(1, index, -torch.inf)
    if not kept:
        empty = torch.zeros(boxes.shape[0], 0, dtype=torch.long, device=boxes.device)
        return empty, empty.bool()
    return torch.cat(kept, 1), torch.cat(found, 1)


def _sizes(boxes: Tensor, offset: int) -> Tensor:
    return boxes[..., 2:] - boxes[..., :2] + offset


def _area(boxes: Tensor, offset: int) -> Tensor:
    return _sizes(boxes, offset).clamp(min=0).prod(-1)
