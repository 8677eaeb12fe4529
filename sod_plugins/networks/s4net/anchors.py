"""Anchors of S4Net and their assignment to objects."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sod_plugins.ops.boxes import box_iou

RELEASED_BASE = 16


def base_anchors(
    stride: int, ratios: Sequence[float], scale: float, released: bool = False
) -> Tensor:
    """Return the anchors (A, 4) of the upper left cell of a map.

    Their area is that of a square with sides of ``scale * stride`` pixels. They are centred on the
    cell.

    Args:
        stride: Stride of the map in pixels.
        ratios: Height / width of each anchor.
        scale: Side of a square anchor in strides.
        released: Use the anchors of Faster R-CNN's first code, as the release of S4Net does: sizes
            are rounded to pixels, x2 and y2 are the last pixels inside, and all centres are at 7.5
            for every stride.
    """
    if not released:
        sizes = [(scale * stride / math.sqrt(r), scale * stride * math.sqrt(r)) for r in ratios]
        centre, offset = stride / 2, 0
    else:
        # A square of 16 pixels is reshaped to the ratios, rounded, and then scaled.
        factor = scale * stride / RELEASED_BASE
        widths = [round(math.sqrt(RELEASED_BASE**2 / r)) for r in ratios]
        sizes = [(factor * w, factor * round(w * r)) for w, r in zip(widths, ratios, strict=True)]
        centre, offset = (RELEASED_BASE - 1) / 2, 1
    return torch.tensor(
        [
            [
                centre - (w - offset) / 2,
                centre - (h - offset) / 2,
                centre + (w - offset) / 2,
                centre + (h - offset) / 2,
            ]
            for w, h in sizes
        ]
    )


def shift_anchors(base: Tensor, size: tuple[int, int], stride: int) -> Tensor:
    """Return the anchors (H * W * A, 4) of a map, ordered by row, column and as in ``base``."""
    y, x = (torch.arange(n, device=base.device, dtype=base.dtype) * stride for n in size)
    rows, columns = torch.meshgrid(y, x, indexing='ij')
    shifts = torch.stack([columns, rows, columns, rows], -1)
    return (shifts[:, :, None] + base).reshape(-1, 4)


def assign_anchors(
    anchors: Tensor, boxes: Tensor, positive_iou: float, match_best: bool = False, offset: int = 0
) -> Tensor:
    """Assign anchors to objects.

    Args:
        anchors: (M, 4).
        boxes: Objects (G, 4).
        positive_iou: An anchor is positive for the object that it overlaps most if their IoU is at
            least this.
        match_best: Whether the anchors that overlap an object most are always positive for it.
        offset: See :func:`~sod_plugins.ops.box_iou`.

    Returns:
        Object indices (M,), -1 for negative anchors.
    """
    if not len(boxes):
        return torch.full((len(anchors),), -1, device=anchors.device)
    overlaps = box_iou(boxes, anchors, offset)
    best, index = overlaps.max(0)
    assigned = index.masked_fill(best < positive_iou, -1)
    if match_best:
        most = overlaps.amax(1, keepdim=True)
        objects, chosen = ((overlaps == most) & (most > 0)).nonzero(as_tuple=True)
        assigned[chosen] = objects
    return assigned
