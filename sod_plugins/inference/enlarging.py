"""Upsample a network's map to the size of the image, in as few passes as possible."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Saliency = NDArray[np.float32]
_ROWS = 64  # processed at a time, to stay in the processor's cache


def enlarge(saliency: Saliency, size: tuple[int, int]) -> Saliency:
    """Resize a map (h, w) bilinearly to a size (H, W), with half-pixel centres.

    The values are those of :func:`sod_plugins.ops.resize_bilinear` up to rounding.
    """
    enlarged = np.empty(size, np.float32)
    for rows, block in _blocks(saliency, size):
        enlarged[rows] = block
    return enlarged


def enlarge_levels(saliency: Saliency, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return ``floor(255 * enlarge(saliency, size))`` in 8 bits, without a map in float32."""
    levels = np.empty(size, np.uint8)
    for rows, block in _blocks(saliency, size):
        np.multiply(block, np.float32(255), out=block)
        np.copyto(levels[rows], block, casting='unsafe')
    return levels


def quantise(saliency: Saliency) -> NDArray[np.uint8]:
    """Return a map (H, W) in [0, 1] as 8 bits, truncated as the papers' maps were saved."""
    levels = np.empty(saliency.shape, np.uint8)
    for row in range(0, len(saliency), _ROWS):
        part = saliency[row : row + _ROWS] * np.float32(255)
        np.copyto(levels[row : row + _ROWS], part, casting='unsafe')
    return levels


def neighbours(
    old: int, new: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return both neighbours of every new position on an axis, and the weight of the second."""
    scale = np.float32(old / new)
    positions = (np.arange(new, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    np.maximum(positions, 0, out=positions)
    before = np.minimum(positions.astype(np.int64), old - 1)
    after = np.minimum(before + 1, old - 1)
    return before, after, positions - before.astype(np.float32)


def _blocks(saliency: Saliency, size: tuple[int, int]) -> Iterator[tuple[slice, Saliency]]:
    """Yield the rows of an upsampled map block by block; each block overwrites the previous."""
    before, after, share = neighbours(saliency.shape[1], size[1])
    left = saliency[:, before]
    wide = left + (saliency[:, after] - left) * share
    before, after, share = neighbours(len(saliency), size[0])
    # All rows between two rows of the small map have the same neighbours.
    starts = np.flatnonzero(np.diff(before, prepend=-1) | np.diff(after, prepend=-1))
    buffer = np.empty((_ROWS, size[1]), np.float32)
    for start, stop in zip(starts, [*starts[1:], size[0]], strict=True):
        upper = wide[before[start]]
        difference = wide[after[start]] - upper
        for first in range(start, stop, _ROWS):
            rows = slice(first, min(first + _ROWS, stop))
            block = buffer[: rows.stop - first]
            np.multiply.outer(share[rows], difference, out=block)
            block += upper
            yield rows, block
