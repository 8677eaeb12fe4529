"""Trace the outlines of masks as COCO polygons."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

Corner = tuple[int, int]


def trace_polygons(mask: NDArray[np.bool_]) -> list[list[float]]:
    """Return the outlines of the components of a mask (H, W), along the edges of its pixels.

    A polygon is ``[x1, y1, x2, y2, ...]``, clockwise on screen; filled, it covers the pixels of the
    component exactly. Holes are omitted, because COCO polygons have none. Parts that touch only at
    a corner are separate components.
    """
    follow = _edges(mask)
    polygons = []
    while follow:
        start = next(iter(follow))
        corners = _trace(follow, start)
        if _area(corners) > 0:
            polygons.append([float(value) for corner in corners for value in corner])
    return polygons


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Return the pixel edges around a mask, with the mask on their right: start -> ends."""
    framed = np.pad(np.asarray(mask, bool), 1)
    follow: dict[Corner, list[Corner]] = defaultdict(list)
    inner = framed[1:-1, 1:-1]
    shifts = (
        (framed[:-2, 1:-1], (0, 0), (1, 0)),  # upper edges run right
        (framed[1:-1, 2:], (1, 0), (1, 1)),  # right ones down
        (framed[2:, 1:-1], (1, 1), (0, 1)),  # lower ones left
        (framed[1:-1, :-2], (0, 1), (0, 0)),  # left ones up
    )
    for beside, (x1, y1), (x2, y2) in shifts:
        for y, x in np.argwhere(inner & ~beside).tolist():
            follow[x + x1, y + y1].append((x + x2, y + y2))
    return dict(follow)


def _trace(follow: dict[Corner, list[Corner]], start: Corner) -> list[Corner]:
    """Follow edges back to their start, removing them, and return only the corners."""
    path = [start]
    direction: Corner | None = None
    here = start
    while True:
        ends = follow[here]
        # Where two components touch at a corner, turning right stays on the same component.
        end = next((e for e in ends if direction and _turns_right(direction, here, e)), ends[0])
        ends.remove(end)
        if not ends:
            del follow[here]
        step = (end[0] - here[0], end[1] - here[1])
        if step == direction:
            path.pop()
        path.append(end)
        direction, here = step, end
        if here == start:
            break
    path.pop()
    if len(path) > 2 and _in_line(path[-1], path[0], path[1]):
        path.pop(0)
    return path


def _turns_right(direction: Corner, here: Corner, end: Corner) -> bool:
    """Return whether an edge turns right, with y pointing down."""
    return (end[0] - here[0], end[1] - here[1]) == (-direction[1], direction[0])


def _in_line(first: Corner, second: Corner, third: Corner) -> bool:
    return first[0] == second[0] == third[0] or first[1] == second[1] == third[1]


def _area(corners: list[Corner]) -> float:
    """Return the signed area: positive for clockwise outlines, with y pointing down."""
    following = [*corners[1:], corners[0]]
    twice = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(corners, following, strict=True))
    return twice / 2
