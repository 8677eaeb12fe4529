"""Masks of instances as COCO stores them: run lengths or polygons."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def require_pycocotools() -> ModuleType:
    """Return ``pycocotools.mask``; raise ImportError with what to install where it is missing."""
    try:
        from pycocotools import mask
    except ImportError as error:
        raise ImportError(
            'Polygons and the measures of instances need pycocotools, which does not import: '
            "pip install 'sod-plugins[instances]'."
        ) from error
    return mask  # type: ignore[no-any-return]


def encode_rle(mask: Mask) -> dict[str, list[int]]:
    """Encode a mask (H, W) as COCO's uncompressed RLE: runs of 0, 1, 0, ... down the columns."""
    pixels = np.concatenate([[False], mask.ravel(order='F'), [False]])
    starts = np.flatnonzero(pixels[1:] != pixels[:-1])
    bounds = [0, *starts.tolist()]
    if bounds[-1] < mask.size:
        bounds.append(mask.size)
    return {'size': list(mask.shape), 'counts': np.diff(bounds).tolist()}


def compress_rle(rle: Mapping[str, Any]) -> dict[str, Any]:
    """Write run lengths as COCO's text: differences to two runs before, five bits a letter."""
    letters = []
    counts = rle['counts']
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        while True:
            bits, value = value & 31, value >> 5
            last = value == (-1 if bits & 16 else 0)
            letters.append(chr(48 + (bits if last else bits | 32)))
            if last:
                break
    return {'size': list(rle['size']), 'counts': ''.join(letters)}


def compress_mask(mask: Mask) -> dict[str, Any]:
    """Encode a mask (H, W) as COCO's compressed RLE, whose ``counts`` are text."""
    return compress_rle(encode_rle(mask))


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> Mask:
    """Decode the segmentation of a COCO annotation: RLE of either kind, or polygons.

    Args:
        segmentation: The value of the annotation's key ``segmentation``.
        size: (height, width) of its image.

    Returns:
        bool array (H, W).

    Raises:
        ValueError: It is no segmentation of an image of this size.
        ImportError: It is polygons, and pycocotools is not installed.
    """
    height, width = size
    if isinstance(segmentation, list):
        if problem := _polygon_problem(segmentation):
            raise ValueError(problem)
        tools = require_pycocotools()
        segmentation = tools.merge(tools.frPyObjects(segmentation, height, width))
    if not isinstance(segmentation, dict) or not {'size', 'counts'} <= segmentation.keys():
        raise ValueError('its segmentation is neither run lengths nor a list of polygons')
    if list(segmentation['size']) != [height, width]:
        raise ValueError(
            f'its segmentation is of size {list(segmentation["size"])}, but the image of '
            f'{[height, width]} (height, width)'
        )
    counts = segmentation['counts']
    if isinstance(counts, str | bytes):
        # pycocotools trusts the text: damaged run lengths would be written past the mask's end.
        counts = _decompress(counts)
    if min(counts, default=-1) < 0 or sum(counts) != height * width:
        raise ValueError(f'its run lengths do not add up to {height * width} pixels')
    values = np.arange(len(counts)) % 2 == 1
    return np.repeat(values, counts).reshape(height, width, order='F')


def bounding_box(mask: Mask) -> list[int]:
    """Return [left, top, width, height] of the smallest box that covers all pixels of a mask.

    The box covers whole pixels: that of the one pixel at column 3 and row 5 is [3, 5, 1, 1].
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]


def _polygon_problem(polygons: list[Any]) -> str | None:
    if not polygons:
        return 'it has no polygon'
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            return 'a polygon of it has not an x and a y for each of three points or more'
        if not np.isfinite(np.asarray(polygon, dtype=float)).all():
            return 'a polygon of it has a number that is not finite'
    return None


def _decompress(text: str | bytes) -> list[int]:
    """Read run lengths from COCO's text: five bits a letter, each a difference to two before."""
    letters = text.encode('ascii') if isinstance(text, str) else text
    counts: list[int] = []
    value = shift = 0
    for letter in letters:
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            counts.append(value + (counts[-2] if len(counts) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError('its run lengths end in the middle of a number')
    return counts
