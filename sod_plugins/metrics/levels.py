"""Count the grey levels of a saliency map against a mask.

Every measure except the weighted F-measure depends on a map only through how often each grey level
occurs inside and outside the object, in each quadrant around the object's centre. One pass over
the pixels counts these; the rest is arithmetic on a few hundred numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.data import DataError
from sod_plugins.metrics.protocols import FloatArray

# Interpolating a map may overshoot [0, 1] by float32 rounding.
_RANGE_TOLERANCE = 1e-6
_GREY_VALUES = np.arange(256) / 255


@dataclass(frozen=True)
class LevelCounts:
    """A map of K distinct levels, counted against a binary mask.

    Attributes:
        values: (K,) values of the levels in [0, 1], ascending, not normalised.
        index: (H, W) index of the level of each pixel.
        foreground: (H, W) bool, the mask.
        quadrants: (2, 2, 2, K) pixel counts, indexed by above/below and left/right of the split,
            background/foreground, and level.
        split: (row, column) where the lower and the right quadrants begin.
    """

    values: FloatArray
    index: NDArray[Any]
    foreground: NDArray[np.bool_]
    quadrants: FloatArray
    split: tuple[int, int]

    @cached_property
    def totals(self) -> FloatArray:
        """(2, K) pixel counts of the whole image: background, foreground."""
        totals: FloatArray = self.quadrants.sum(axis=(0, 1))
        return totals


def count_levels(
    values: FloatArray, index: NDArray[Any], foreground: NDArray[np.bool_]
) -> LevelCounts:
    """Count the levels of a map inside and outside the object, by quadrant.

    Args:
        values: (K,) ascending values of the levels.
        index: (H, W) non-negative integers below K.
        foreground: (H, W) bool mask.
    """
    split = _object_centre(foreground)
    levels = len(values)
    code: NDArray[Any] = foreground.astype(np.int16 if levels < 2**14 else np.int32)
    code *= levels
    code += index
    quadrants = np.empty((2, 2, 2, levels))
    for below, rows in enumerate((slice(0, split[0]), slice(split[0], None))):
        for right, columns in enumerate((slice(0, split[1]), slice(split[1], None))):
            counts = np.bincount(code[rows, columns].ravel(), minlength=2 * levels)
            quadrants[below, right] = counts.reshape(2, levels)
    return LevelCounts(values, index, foreground, quadrants, split)


def _object_centre(foreground: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the pixel after the rounded centroid; for an empty mask, after the image's centre."""
    centre = []
    for axis in (0, 1):
        along = np.count_nonzero(foreground, axis=1 - axis)
        area = int(along.sum())
        size = foreground.shape[axis]
        mean = float(along @ np.arange(size)) / area if area else size / 2
        centre.append(round(mean) + 1)
    return centre[0], centre[1]


def map_levels(prediction: NDArray[Any], keep_floats: bool) -> tuple[FloatArray, NDArray[Any]]:
    """Return the level values of a map and the level of each pixel.

    Args:
        prediction: (H, W) uint8, or floating point in [0, 1].
        keep_floats: Whether a floating-point map keeps its own levels; otherwise it is
            truncated to 8 bits.

    Raises:
        DataError: The array has another shape or type, or values outside [0, 1].
    """
    if prediction.dtype != np.uint8:
        prediction = _unit_interval(prediction, 'prediction')
        if keep_floats:
            values, index = np.unique(prediction.astype(np.float64), return_inverse=True)
            return values, index.reshape(prediction.shape)
        prediction = (prediction * 255).astype(np.uint8)
    return _GREY_VALUES, prediction


def mask_levels(mask: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the mask as levels 0..255.

    Args:
        mask: (H, W) bool, uint8 from 0 to 255, or floating point in [0, 1].

    Raises:
        DataError: The array has another shape or type, values outside [0, 1], or integers that
            are only 0 and 1, which would all count as background.
    """
    if mask.dtype == np.bool_:
        return mask.astype(np.uint8) * np.uint8(255)
    if mask.dtype == np.uint8:
        if mask.max(initial=0) == 1:
            raise DataError('The mask holds only 0 and 1. Pass it as bool, or scaled to 255.')
        return mask
    levels: NDArray[np.uint8] = np.rint(_unit_interval(mask, 'mask') * 255).astype(np.uint8)
    return levels


def resize_nearest(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize an (H, W) mask to another (H, W) by nearest neighbour, aligning pixel centres."""
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(np.intp)
        for new, old in zip(size, mask.shape, strict=True)
    )
    resized: NDArray[np.uint8] = mask[rows[:, None], columns]
    return resized


def _unit_interval(array: NDArray[Any], role: str) -> NDArray[Any]:
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f'The {role} has type {array.dtype}. Pass uint8 from 0 to 255 or floats from 0 to 1.'
        )
    low, high = array.min(), array.max()
    if not (low >= -_RANGE_TOLERANCE and high <= 1 + _RANGE_TOLERANCE):
        raise DataError(
            f'The {role} has values from {low:g} to {high:g}. Floats must be within 0 to 1.'
        )
    return array.clip(0, 1)
