"""Boxes, computed as plainly as possible."""

from __future__ import annotations

from collections.abc import Sequence


def naive_iou(a: Sequence[float], b: Sequence[float], offset: float) -> float:
    """Return the IoU of two boxes, whose sides are ``offset`` longer than their coordinates say."""
    width = max(min(a[2], b[2]) - max(a[0], b[0]) + offset, 0)
    height = max(min(a[3], b[3]) - max(a[1], b[1]) + offset, 0)
    areas = [(x[2] - x[0] + offset) * (x[3] - x[1] + offset) for x in (a, b)]
    return width * height / (sum(areas) - width * height)
