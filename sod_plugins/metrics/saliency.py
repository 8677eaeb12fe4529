"""Scores of saliency maps, image by image, and their means over a data set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.data import DataError
from sod_plugins.metrics import measures
from sod_plugins.metrics.levels import (
    LevelCounts,
    count_levels,
    map_levels,
    mask_levels,
    resize_nearest,
)
from sod_plugins.metrics.protocols import FloatArray, Protocol, get_protocol, normalise

# Keys of the measures, and the names that papers print, in the order of their tables.
MEASURE_NAMES = {
    'max_f': 'max F',
    'mean_f': 'mean F',
    'adp_f': 'adaptive F',
    'weighted_f': 'weighted F',
    's_measure': 'S-measure',
    'max_e': 'max E',
    'mean_e': 'mean E',
    'adp_e': 'adaptive E',
    'mae': 'MAE',
    'iou': 'IoU',
    'ber': 'BER',
}
LOWER_IS_BETTER = frozenset({'mae', 'ber'})
# The measures of one image that are averaged as they are; the others come from the mean curves.
_AVERAGED = ('adp_f', 'weighted_f', 's_measure', 'adp_e', 'mae', 'iou', 'ber')


@dataclass(frozen=True)
class ImageScores:
    """What one image contributes; small and picklable, to be sent between processes.

    Attributes:
        stem: The image's name.
        measures: Its own measures by key; empty if the protocol skips the image.
        curves: (3, T) precision, recall and E at the protocol's thresholds.
    """

    stem: str
    measures: dict[str, float]
    curves: FloatArray


@dataclass(frozen=True)
class Evaluation:
    """The scores of a data set under one protocol.

    Attributes:
        protocol: Name of the protocol.
        count: How many images the means are over.
        measures: The measures by the keys of ``MEASURE_NAMES``, fractions from 0 to 1.
        curves: Arrays of equal length: ``thresholds`` (fractions, ascending), ``precision``,
            ``recall``, ``f`` and ``e``.
        per_image: For each image its ``stem`` and its own measures, sorted by stem.
        skipped: Stems of images that the protocol leaves out.
    """

    protocol: str
    count: int
    measures: dict[str, float]
    curves: dict[str, FloatArray]
    per_image: tuple[dict[str, Any], ...] = ()
    skipped: tuple[str, ...] = ()


class SaliencyEvaluator:
    """Collects the scores of images and averages them over the data set.

    The results depend neither on the order of the images nor on how they were spread over
    processes: sums are exact before they are rounded. To merge, extend ``per_image`` by the
    ``per_image`` of the others.

    Args:
        protocol: ``'pysodmetrics'``, ``'salmetric'``, ``'fastsaliency'`` or ``'survey'``; what
            they are is in ``docs/measures.md``.

    Attributes:
        protocol: The protocol's definition.
        per_image: The scores so far.

    Raises:
        ValueError: There is no such protocol.
    """

    def __init__(self, protocol: str = 'pysodmetrics') -> None:
        self.protocol = get_protocol(protocol)
        self.per_image: list[ImageScores] = []

    def step(
        self, prediction: NDArray[Any], mask: NDArray[Any], stem: str = ''
    ) -> dict[str, float]:
        """Score one image.

        Args:
            prediction: (H, W) saliency, uint8 from 0 to 255 or floating point from 0 to 1.
                Floats are truncated to 8 bits as in saved maps, except under ``fastsaliency``.
            mask: (H, W) ground truth, bool, uint8 from 0 to 255 or floating point from 0 to 1.
            stem: The image's name.

        Returns:
            The image's own measures; empty if the protocol skips it. Its ``max_f`` and ``max_e``
            are the largest values of its own curves, so their mean is not the data set's.

        Raises:
            DataError: An array is not (H, W), the sizes differ (except under ``survey``), or a
                type or value is none of the above.
        """
        try:
            scores = score_image(prediction, mask, self.protocol, stem)
        except DataError as error:
            raise DataError(f"Image '{stem}': {error}" if stem else str(error)) from error
        self.per_image.append(scores)
        return scores.measures

    def evaluation(self) -> Evaluation:
        """Return everything known about the images so far.

        Raises:
            DataError: No image was scored.
        """
        scored = [scores for scores in self.per_image if scores.measures]
        if not scored:
            raise DataError(
                f"Protocol '{self.protocol.name}' scored no image. Give it images whose masks "
                'are not empty.'
                if self.per_image
                else 'No image was scored. Call step() first.'
            )
        curves = self._mean_curves(np.stack([scores.curves for scores in scored], axis=1))
        means = {key: _exact_mean([scores.measures[key] for scores in scored]) for key in _AVERAGED}
        means |= _curve_measures(curves['f'], curves['e'])
        return Evaluation(
            protocol=self.protocol.name,
            count=len(scored),
            measures={key: means[key] for key in MEASURE_NAMES},
            curves=curves,
            per_image=tuple(
                {'stem': scores.stem, **scores.measures}
                for scores in sorted(scored, key=lambda scores: scores.stem)
            ),
            skipped=tuple(sorted(s.stem for s in self.per_image if not s.measures)),
        )

    def results(self) -> dict[str, float]:
        """Return the data set's measures by key, fractions from 0 to 1."""
        return self.evaluation().measures

    def curves(self) -> dict[str, FloatArray]:
        """Return the data set's curves, as in ``Evaluation.curves``."""
        return self.evaluation().curves

    def _mean_curves(self, stacked: FloatArray) -> dict[str, FloatArray]:
        """Average the images' curves, stacked as (3, N, T)."""
        precision, recall, e = (_exact_mean_curve(rows) for rows in stacked)
        if self.protocol.f_of_means:
            f = measures.f_measure(precision, recall, self.protocol.f_epsilon)
        else:
            f = _exact_mean_curve(
                measures.f_measure(stacked[0], stacked[1], self.protocol.f_epsilon)
            )
        thresholds = np.asarray(self.protocol.thresholds)
        return {'thresholds': thresholds, 'precision': precision, 'recall': recall, 'f': f, 'e': e}


def score_image(
    prediction: NDArray[Any], mask: NDArray[Any], protocol: Protocol, stem: str = ''
) -> ImageScores:
    """Score one image as ``SaliencyEvaluator.step`` does, without an evaluator."""
    grey_mask = _fitting_mask(prediction, mask, protocol)
    foreground = grey_mask >= protocol.foreground_level
    if protocol.skips_empty and not foreground.any():
        return ImageScores(stem, {}, np.empty((3, 0)))
    counts = count_levels(*map_levels(prediction, protocol.keeps_floats), foreground)
    occurring = counts.values[counts.totals.any(axis=0)]
    extremes = float(occurring[0]), float(occurring[-1])
    values = normalise(counts.values, *extremes, protocol.normalisation)
    saliency = np.take(values, counts.index)
    curves, scores = _threshold_scores(counts, values, saliency, protocol)
    scores['weighted_f'] = measures.weighted_f_measure(saliency, foreground)
    scores['mae'] = _absolute_error(counts, values, grey_mask, protocol)
    if protocol.structure_normalisation != protocol.normalisation:
        values = normalise(counts.values, *extremes, protocol.structure_normalisation)
        saliency = np.take(values, counts.index)
    scores['s_measure'] = measures.s_measure(saliency, values, counts)
    return ImageScores(stem, {key: scores[key] for key in MEASURE_NAMES}, curves)


def _fitting_mask(
    prediction: NDArray[Any], mask: NDArray[Any], protocol: Protocol
) -> NDArray[np.uint8]:
    """Return the mask as levels 0..255, of the prediction's size."""
    for role, array in (('prediction', prediction), ('mask', mask)):
        if array.ndim != 2 or not array.size:
            raise DataError(f'The {role} has shape {array.shape}. Pass one array (H, W).')
    if prediction.shape != mask.shape and not protocol.resizes_mask:
        raise DataError(
            f'The prediction is {prediction.shape[1]}x{prediction.shape[0]} but the mask is '
            f'{mask.shape[1]}x{mask.shape[0]}. Resize the saliency map to the original image.'
        )
    levels = mask_levels(mask)
    if prediction.shape == mask.shape:
        return levels
    return resize_nearest(levels, (prediction.shape[0], prediction.shape[1]))


def _threshold_scores(
    counts: LevelCounts, values: FloatArray, saliency: FloatArray, protocol: Protocol
) -> tuple[FloatArray, dict[str, float]]:
    """Return the curves (3, T) and the measures of thresholded maps."""
    totals = counts.totals
    background, foreground = (float(pixels) for pixels in totals.sum(axis=1))
    keys, thresholds = protocol.comparison_keys(values)
    hits, false_alarms = measures.count_salient(keys, totals, thresholds, strict=protocol.strict)
    precision, recall = protocol.precision_recall(hits, false_alarms, foreground)
    f = measures.f_measure(precision, recall, protocol.f_epsilon)

    # The adaptive measures mean the same under every protocol: from the threshold on, no epsilon.
    adaptive = np.array([measures.adaptive_threshold(saliency)])
    adp_hits, adp_alarms = measures.count_salient(values, totals, adaptive, strict=False)
    adp_precision = adp_hits / np.maximum(adp_hits + adp_alarms, 1)
    adp_f = measures.f_measure(adp_precision, adp_hits / max(foreground, 1))

    area = background + foreground
    *e, adp_e = measures.e_measure(
        np.append(hits, adp_hits), np.append(false_alarms, adp_alarms), foreground, area
    )
    half_hits, half_alarms = (
        float(pixels[0])
        for pixels in measures.count_salient(values, totals, np.array([0.5]), strict=True)
    )
    scores = {
        **_curve_measures(f, np.array(e)),
        'adp_f': float(adp_f[0]),
        'adp_e': float(adp_e),
        'iou': measures.intersection_over_union(half_hits, half_alarms, foreground),
        'ber': measures.balanced_error_rate(half_hits, half_alarms, foreground, background),
    }
    return np.stack([precision, recall, e]), scores


def _absolute_error(
    counts: LevelCounts, values: FloatArray, grey_mask: NDArray[np.uint8], protocol: Protocol
) -> float:
    compared = values if protocol.normalised_mae else counts.values
    if protocol.soft_mask_mae:
        return float(np.abs(np.take(compared, counts.index) - grey_mask / 255).mean())
    return measures.mean_absolute_error(compared, counts.totals)


def _curve_measures(f: FloatArray, e: FloatArray) -> dict[str, float]:
    return {
        'max_f': float(f.max()),
        'mean_f': float(f.mean()),
        'max_e': float(e.max()),
        'mean_e': float(e.mean()),
    }


def _exact_mean(numbers: Iterable[float]) -> float:
    numbers = list(numbers)
    return math.fsum(numbers) / len(numbers)


def _exact_mean_curve(rows: FloatArray) -> FloatArray:
    """Average rows (N, T) over N; exact sums make the order of the rows irrelevant."""
    return np.array([_exact_mean(column) for column in rows.T.tolist()])
