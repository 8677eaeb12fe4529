"""Masks of instances as COCO stores them: run lengths (RLE) or polygons.

Run lengths go down the columns and alternate between 0 and 1, starting with 0. Everything is
checked against the image before pycocotools sees it, which trusts its input: wrong run lengths
would be written beyond the mask's end, and polygons far outside the image crash the process.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Runs = NDArray[np.int64]

_LETTERS = 7  # of five bits each: enough for any difference of two runs below 2**31
# Longest outline of one instance, in pixels. pycocotools needs 80 bytes for each.
_LONGEST_OUTLINE = 4_000_000


def require_pycocotools() -> ModuleType:
    """Return ``pycocotools.mask``; if it is missing, the ImportError says what to install."""
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
    """Write run lengths as COCO's text: differences from two runs before, five bits per letter."""
    counts = np.asarray(rle['counts'], dtype=np.int64)
    values = counts.copy()
    values[3:] -= counts[1:-2]
    bounds = 1 << (5 * np.arange(1, _LETTERS) - 1)  # the capacity of one letter, two letters, ...
    magnitudes = np.where(values < 0, ~values, values)
    lengths = 1 + np.searchsorted(bounds, magnitudes, side='right')
    starts = lengths.cumsum() - lengths
    letters = np.zeros(lengths.sum(), dtype=np.uint8)
    for place in range(_LETTERS):
        has = lengths > place
        bits = (values[has] >> (5 * place)) & 31
        letters[starts[has] + place] = 48 + (bits | 32 * (lengths[has] > place + 1))
    return {'size': list(rle['size']), 'counts': letters.tobytes().decode('ascii')}


def compress_mask(mask: Mask) -> dict[str, Any]:
    """Encode a mask (H, W) as COCO's compressed RLE, with ``counts`` as text."""
    return compress_rle(encode_rle(mask))


def decode_segmentation(segmentation: Any, size: tuple[int, int]) -> Mask:
    """Decode the segmentation of a COCO annotation: RLE of either kind, or polygons.

    Args:
        segmentation: The value of the annotation's key ``segmentation``.
        size: (height, width) of its image.

    Returns:
        bool array (H, W).

    Raises:
        ValueError: The value is not a segmentation of an image of this size.
        ImportError: It is polygons and pycocotools is not installed.
    """
    runs = segmentation_runs(segmentation, size)
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(size, order='F')


def segmentation_runs(segmentation: Any, size: tuple[int, int]) -> Runs:
    """Return the run lengths of a segmentation, which sum to the pixels of its image.

    Arguments and errors are those of :func:`decode_segmentation`. No mask is created, so a large
    image costs no more than a small one.
    """
    height, width = size
    if isinstance(segmentation, list):
        polygons = tidy_polygons(segmentation)
        _check_extent(polygons, height, width)
        tools = require_pycocotools()
        segmentation = tools.merge(tools.frPyObjects(polygons, height, width))
    if not isinstance(segmentation, dict) or not {'size', 'counts'} <= segmentation.keys():
        raise ValueError('its segmentation is neither run lengths nor a list of polygons')
    stated = segmentation['size']
    if not isinstance(stated, list | tuple) or list(stated) != [height, width]:
        raise ValueError(
            f'its segmentation is of size {reprlib.repr(stated)}, but the image of '
            f'{[height, width]} (height, width)'
        )
    counts = segmentation['counts']
    runs = _decompress(counts) if isinstance(counts, str | bytes) else _plain_counts(counts)
    if not len(runs) or runs.min() < 0 or runs.max() > height * width:
        raise ValueError(f'its run lengths do not add up to {height * width} pixels')
    if runs.sum() != height * width:
        raise ValueError(
            f'its run lengths do not add up to {height * width} pixels, but to {runs.sum()}'
        )
    return runs


def tidy_polygons(segmentation: list[Any]) -> list[list[float]]:
    """Return polygons in COCO's form: a list of x1, y1, x2, y2, ... for each.

    Tools also write a single polygon instead of a list, points as pairs, and numbers as text.
    Polygons of one or two points cover no pixel and are left out.

    Raises:
        ValueError: It holds no polygon, or anything but polygons.
    """
    if not segmentation:
        raise ValueError('its segmentation is an empty list: it has no polygon')
    parts = segmentation if all(isinstance(part, list) for part in segmentation) else [segmentation]
    if len(parts) > 2 and all(len(part) == 2 for part in parts):
        parts = [parts]  # the points of one polygon
    polygons = [_read_polygon(part) for part in parts]
    polygons = [polygon for polygon in polygons if len(polygon) >= 6]
    if not polygons:
        raise ValueError('none of its polygons has three points or more')
    return polygons


def bounding_box(mask: Mask) -> list[int]:
    """Return [left, top, width, height] of the smallest box that contains all pixels of a mask.

    The box covers whole pixels: the box of the single pixel at column 3 and row 5 is [3, 5, 1, 1].
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1]


def runs_area(runs: Runs) -> int:
    """Return the number of pixels of a mask from its run lengths."""
    return int(runs[1::2].sum())


def runs_box(runs: Runs, height: int) -> list[int]:
    """Return the :func:`bounding_box` of a non-empty mask from its run lengths."""
    ends = runs.cumsum()[1::2]
    starts = ends - runs[1::2]
    starts, ends = starts[starts < ends], ends[starts < ends]
    left, right = int(starts[0]) // height, int(ends[-1] - 1) // height
    if (starts // height != (ends - 1) // height).any():  # a run that continues in the next column
        top, bottom = _rows_across_columns(starts, ends, height)
    else:
        top, bottom = int((starts % height).min()), int(((ends - 1) % height).max())
    return [left, top, right - left + 1, bottom - top + 1]


def _rows_across_columns(starts: Runs, ends: Runs, height: int) -> tuple[int, int]:
    """Return the first and last row of runs, some of which continue in the next column."""
    across = starts // height != (ends - 1) // height
    within = ~across
    tops = [*(starts % height)[within].tolist(), 0]
    bottoms = [*((ends - 1) % height)[within].tolist(), height - 1]
    return min(tops), max(bottoms)


def _read_polygon(part: list[Any]) -> list[float]:
    try:
        numbers = np.asarray(part, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        raise ValueError('one of its polygons is not a list of numbers') from None
    if numbers.ndim > 2 or (numbers.ndim == 2 and numbers.shape[1] != 2):
        raise ValueError('one of its polygons is not a list of numbers')
    if numbers.size % 2:
        raise ValueError(
            f'one of its polygons has {numbers.size} numbers, which are not pairs of x and y'
        )
    if not np.isfinite(numbers).all():
        raise ValueError('one of its polygons has a number that is not finite')
    plain: list[float] = numbers.ravel().tolist()
    return plain


def _check_extent(polygons: list[list[float]], height: int, width: int) -> None:
    """Reject polygons for which pycocotools would need gigabytes or crash the process.

    Raises:
        ValueError: A point lies outside by more than the image's size, or outlines are too long.
    """
    reach = max(height, width)
    length = 0.0
    for polygon in polygons:
        points = np.asarray(polygon).reshape(-1, 2)
        far = (points < -reach) | (points > (width + reach, height + reach))
        if far.any():
            x, y = points[far.any(axis=1)][0]
            raise ValueError(
                f'its point ({x:g}, {y:g}) lies far outside the image of {width}x{height} '
                '(width x height)'
            )
        length += float(np.abs(points - np.roll(points, 1, axis=0)).max(axis=1).sum())
    if length > _LONGEST_OUTLINE:
        raise ValueError(
            f'its outlines are {length:.0f} pixels long, more than {_LONGEST_OUTLINE} of one '
            'instance'
        )


def _plain_counts(counts: Any) -> Runs:
    """Read run lengths from a list of integers."""
    try:
        numbers = np.asarray(counts, dtype=np.float64)
    except (ValueError, TypeError, OverflowError):
        numbers = np.zeros((0, 0))
    # Floats above 2**53 do not hold every integer, and no image has so many pixels.
    if numbers.ndim != 1 or not (np.abs(numbers) < 2**53).all() or (numbers % 1).any():
        raise ValueError('its run lengths are not a list of whole numbers')
    return numbers.astype(np.int64)


def _decompress(text: str | bytes) -> Runs:
    """Read run lengths from COCO's text: five bits per letter, differences from two runs before."""
    letters = text.encode('latin-1', 'xmlcharrefreplace') if isinstance(text, str) else text
    bits = np.frombuffer(letters, dtype=np.uint8).astype(np.int64) - 48
    if ((bits < 0) | (bits > 63)).any():
        raise ValueError('its run lengths hold a letter that COCO does not use')
    last = np.flatnonzero(bits < 32)  # the letters that end a number
    if len(bits) and (not len(last) or last[-1] != len(bits) - 1):
        raise ValueError('its run lengths end in the middle of a number')
    first = np.concatenate([[0], last[:-1] + 1])[: len(last)]
    lengths = last - first + 1
    if (lengths > _LETTERS).any():
        raise ValueError('its run lengths hold a number that is too large')
    places = np.arange(len(bits)) - np.repeat(first, lengths)
    values = (bits & 31) << (5 * places)
    counts: Runs = np.zeros(0, dtype=np.int64)
    if len(first):
        counts = np.add.reduceat(values, first)
    counts -= np.where(bits[last] & 16, 1 << (5 * lengths), 0)
    counts[1::2] = counts[1::2].cumsum()
    counts[2::2] = counts[2::2].cumsum()
    return counts
