"""The measures of one image, computed from arrays and counts.

A map is given as its normalised values: either ``values`` (K,) per level, with ``LevelCounts``
for how often each level occurs, or ``saliency`` (H, W) per pixel. Results are fractions in [0, 1].
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, distance_transform_edt

from sod_plugins.metrics.confusion import BETA_SQUARED
from sod_plugins.metrics.levels import LevelCounts
from sod_plugins.metrics.protocols import FloatArray

_EPSILON = float(np.finfo(np.float64).eps)

# Margolin et al.'s kernel: 7x7, sigma 5, separable.
_KERNEL_RADIUS = 3
_KERNEL = np.exp(-(np.arange(-_KERNEL_RADIUS, _KERNEL_RADIUS + 1) ** 2) / (2 * 5**2))
_KERNEL /= _KERNEL.sum()
# The weight of an error by its squared distance from the object: 2 - 2^(-distance / 5), and 0 on
# the object itself. From 200 pixels on it differs from 2 by less than 1e-12.
_FARTHEST = 200**2
_IMPORTANCE = 2 - np.exp(np.log(0.5) / 5 * np.sqrt(np.arange(_FARTHEST + 1)))
_IMPORTANCE[0] = 0


def count_salient(
    keys: FloatArray, totals: FloatArray, thresholds: FloatArray, *, strict: bool
) -> tuple[FloatArray, FloatArray]:
    """Count the pixels that each threshold makes salient.

    Args:
        keys: (K,) ascending values of the levels.
        totals: (2, K) pixel counts by level: background, foreground.
        thresholds: (T,) thresholds on the scale of the keys.
        strict: Whether salient means > threshold (True) or >= threshold (False).

    Returns:
        Two arrays (T,): salient pixels inside the object (hits) and outside it (false alarms).
    """
    first_salient = np.searchsorted(keys, thresholds, side='right' if strict else 'left')
    from_level_on = np.zeros((2, len(keys) + 1))
    from_level_on[:, :-1] = np.cumsum(totals[:, ::-1], axis=1)[:, ::-1]
    false_alarms, hits = from_level_on[:, first_salient]
    return hits, false_alarms


def f_measure(precision: FloatArray, recall: FloatArray, epsilon: float = 0.0) -> FloatArray:
    """Return F with beta² = 0.3 (Achanta et al., CVPR 2009), 0 where precision or recall is 0."""
    numerator = (1 + BETA_SQUARED) * precision * recall
    denominator = BETA_SQUARED * precision + recall + epsilon
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=numerator > 0)


def adaptive_threshold(saliency: FloatArray) -> float:
    """Return twice the mean of a map, at most 1 (Achanta et al., CVPR 2009)."""
    return min(2 * float(saliency.mean()), 1.0)


def mean_absolute_error(values: FloatArray, totals: FloatArray) -> float:
    """Return the mean absolute difference of a map and a binary mask."""
    background, foreground = totals
    return float((background @ values + foreground @ (1 - values)) / totals.sum())


def e_measure(
    hits: FloatArray, false_alarms: FloatArray, foreground: float, area: float
) -> FloatArray:
    """Return the enhanced-alignment measure of binary maps (Fan et al., IJCAI 2018).

    Args:
        hits: (T,) salient pixels inside the object, for each of T binary maps.
        false_alarms: (T,) salient pixels outside it.
        foreground: Pixels of the object.
        area: Pixels of the image.

    Returns:
        (T,) the sum over n pixels divided by n - 1, so that small images may score above 1. An
        image of one pixel, for which n - 1 is 0, scores 0 or 1.
    """
    salient = hits + false_alarms
    if foreground == 0:
        aligned = area - salient
    elif foreground == area:
        aligned = salient
    else:
        # Map and mask are each constant on the hits, false alarms, misses and correct rejections.
        counts = np.stack([hits, false_alarms, foreground - hits, area - foreground - false_alarms])
        share = salient / area
        map_deviation = np.stack([1 - share, 1 - share, -share, -share])
        object_share = foreground / area
        mask_deviation = np.array([[1.0], [0], [1], [0]]) - object_share
        alignment = (
            2 * map_deviation * mask_deviation / (map_deviation**2 + mask_deviation**2 + _EPSILON)
        )
        aligned = ((alignment + 1) ** 2 / 4 * counts).sum(axis=0)
    # An image of one pixel has n - 1 = 0.
    return aligned / (1 if area == 1 else area - 1 + _EPSILON)


def s_measure(saliency: FloatArray, values: FloatArray, counts: LevelCounts) -> float:
    """Return the structure measure with alpha = 0.5 (Fan et al., ICCV 2017).

    Args:
        saliency: (H, W) the normalised map.
        values: (K,) the same values by level.
        counts: The map's levels, counted against the mask.
    """
    background, foreground = counts.totals
    area = counts.foreground.size
    object_share = foreground.sum() / area
    if object_share in (0, 1):
        mean = float(saliency.mean())
        return mean if object_share else 1 - mean
    object_score = object_share * _object_similarity(values, foreground)
    object_score += (1 - object_share) * _object_similarity(1 - values, background)
    row, column = counts.split
    region_score = 0.0
    for below, rows in enumerate((slice(0, row), slice(row, None))):
        for right, columns in enumerate((slice(0, column), slice(column, None))):
            region = counts.quadrants[below, right]
            share = region.sum() / area
            if share:  # an object centred on the last row has nothing below it
                similarity = _region_similarity(values, region, saliency[rows, columns])
                region_score += share * similarity
    return max(0.0, float(0.5 * object_score + 0.5 * region_score))


def _object_similarity(values: FloatArray, counts: FloatArray) -> float:
    """Return how close to 1 and how uniform the values are (ICCV 2017, Eq. 5)."""
    pixels = counts.sum()
    mean = counts @ values / pixels
    deviation = np.sqrt(counts @ (values - mean) ** 2 / (pixels - 1)) if pixels > 1 else 0.0
    return float(2 * mean / (mean**2 + 1 + deviation + _EPSILON))


def _region_similarity(values: FloatArray, counts: FloatArray, saliency: FloatArray) -> float:
    """Return the SSIM of map and mask in one region (ICCV 2017, Eq. 6)."""
    background, foreground = counts
    either = background + foreground
    pixels = either.sum()
    mean = either @ values / pixels
    if np.count_nonzero(either) == 1:
        # Where map and mask are both flat, the reference scores 1 if the mean of the equal values
        # equals that value to the last bit, else 0. Only the same summation gives the same score.
        mean = saliency.mean()
    mask_mean = foreground.sum() / pixels
    deviation = values - mean
    freedom = pixels - 1 + _EPSILON
    variance = either @ deviation**2 / freedom
    mask_variance = pixels * mask_mean * (1 - mask_mean) / freedom
    covariance = foreground @ deviation * (1 - mask_mean) - background @ deviation * mask_mean
    numerator = 4 * mean * mask_mean * covariance / freedom
    denominator = (mean**2 + mask_mean**2) * (variance + mask_variance)
    if numerator == 0:
        return float(denominator == 0)
    return float(numerator / (denominator + _EPSILON))


def weighted_f_measure(saliency: FloatArray, foreground: NDArray[np.bool_]) -> float:
    """Return the weighted F with beta² = 1 (Margolin et al., CVPR 2014); 0 for an empty mask.

    An error inside the object is reduced to the smoothed error of its neighbourhood. An error
    outside weighs more the farther it is from the object. Where several object pixels are equally
    near, the distance transform's choice changes the result by up to 1e-4; this is SciPy's choice.

    Args:
        saliency: (H, W) the normalised map.
        foreground: (H, W) the binary mask.
    """
    if not foreground.any():
        return 0.0
    nearest = cast(
        NDArray[np.int32],
        distance_transform_edt(~foreground, return_distances=False, return_indices=True),
    )
    missed = _weighted_misses(saliency, foreground, nearest)
    wrong = float((_importance(nearest) * saliency).sum())
    object_area = np.count_nonzero(foreground)
    hits = object_area - missed
    recall = hits / object_area
    precision = hits / (hits + wrong + _EPSILON)
    return float(2 * recall * precision / (recall + precision + _EPSILON))


def _weighted_misses(
    saliency: FloatArray, foreground: NDArray[np.bool_], nearest: NDArray[np.int32]
) -> float:
    """Sum the errors on the object, each capped by the smoothed error of its neighbourhood."""
    # Pixels beyond the kernel's reach around the object have no influence.
    window = tuple(
        slice(max(hit[0] - _KERNEL_RADIUS, 0), hit[-1] + _KERNEL_RADIUS + 1)
        for hit in (np.flatnonzero(foreground.any(axis=axis)) for axis in (1, 0))
    )
    rows, columns = nearest[:, window[0], window[1]]
    # Pixels around the object take the error of the nearest object pixel, so edges keep weight.
    spread = 1 - saliency[rows, columns]
    smoothed = spread
    for axis in (0, 1):
        smoothed = correlate1d(smoothed, _KERNEL, axis=axis, mode='constant')
    return float(np.minimum(spread, smoothed)[foreground[window]].sum())


def _importance(nearest: NDArray[np.int32]) -> FloatArray:
    """Return the weight of an error at each pixel: 0 on the object."""
    squared: NDArray[Any] = np.minimum(
        (nearest[0] - np.arange(nearest.shape[1], dtype=np.int32)[:, None]) ** 2
        + (nearest[1] - np.arange(nearest.shape[2], dtype=np.int32)) ** 2,
        _FARTHEST,
    )
    return np.take(_IMPORTANCE, squared)
