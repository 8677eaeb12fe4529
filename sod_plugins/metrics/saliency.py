"""Scores of saliency maps, image by image, and their means over a data set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.choices import require_choice
from sod_plugins._common.names import ProtocolName
from sod_plugins.data import DataError
from sod_plugins.metrics import measures
from sod_plugins.metrics.comparison import CURVE_NAMES, Comparison
from sod_plugins.metrics.exact_sums import ExactSum
from sod_plugins.metrics.protocols import FloatArray, Protocol, get_protocol
from sod_plugins.metrics.registry import Measure, find_measures
from sod_plugins.metrics.results import Evaluation


@dataclass(frozen=True)
class ImageScores:
    """The contribution of one image; small and picklable, to be sent between processes.

    Attributes:
        stem: The image's name.
        measures: The image's measures by key; empty if the protocol skips the image.
        curves: The curves that the data set's measures need, by name; arrays (T,) over the
            thresholds.
    """

    stem: str
    measures: dict[str, float]
    curves: dict[str, FloatArray]


class SaliencyEvaluator:
    """Collects the scores of images and averages them over the data set.

    The results depend neither on the order of the images nor on their distribution over processes,
    because sums are exact before they are rounded. To merge evaluators, extend ``per_image`` by
    the ``per_image`` of the others.

    Args:
        protocol: ``'pysodmetrics'``, ``'salmetric'``, ``'fastsaliency'`` or ``'survey'``;
            ``docs/measures.md`` describes them.
        measures: Keys of the measures to compute, or measures of your own. ``'all'`` and
            ``'default'`` stand for several. By default the usual ones and those that were
            registered. Nothing else is computed.
        curves: Names of further curves to record besides those that the measures need.

    Attributes:
        protocol: The protocol's definition.
        measures: The measures.
        per_image: The scores so far.

    Raises:
        ValueError: The protocol, a measure or a curve is unknown.
    """

    def __init__(
        self,
        protocol: ProtocolName = 'pysodmetrics',
        measures: Iterable[str | Measure] | None = None,
        curves: Sequence[str] = (),
    ) -> None:
        self.protocol = get_protocol(protocol)
        self.measures = find_measures(measures)
        self.curve_names = tuple(require_choice('curves', name, CURVE_NAMES) for name in curves)
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
            The image's measures; empty if the protocol skips it. ``max_f`` and ``max_e`` are the
            largest values of the image's own curves, so their mean is not the data set's value.

        Raises:
            DataError: An array is not (H, W), the sizes differ (except under ``survey``), or an
                array has another type or values out of range.
        """
        scores = score_image(prediction, mask, self.protocol, stem, self.measures, self.curve_names)
        self.per_image.append(scores)
        return scores.measures

    def evaluation(self) -> Evaluation:
        """Return the evaluation of the images scored so far.

        Raises:
            DataError: No image was scored.
        """
        summary = ScoreSummary(self.protocol, self.measures)
        for scores in self.per_image:
            summary.add(scores)
        return summary.evaluation()

    def results(self) -> dict[str, float]:
        """Return the data set's measures by key, fractions from 0 to 1."""
        return self.evaluation().measures

    def curves(self) -> dict[str, FloatArray]:
        """Return the data set's curves, as in ``Evaluation.curves``."""
        return self.evaluation().curves


class ScoreSummary:
    """Averages the scores of images, keeping only the sums of their curves.

    Args:
        protocol: The protocol of the scores.
        measures: Their measures.
    """

    def __init__(self, protocol: Protocol, measures: Sequence[Measure]) -> None:
        self.protocol = protocol
        self.measures = measures
        self._scored: list[tuple[str, dict[str, float]]] = []
        self._skipped: list[str] = []
        self._sums: dict[str, ExactSum] = {}

    def add(self, scores: ImageScores) -> None:
        """Add an image."""
        if not scores.measures:
            self._skipped.append(scores.stem)
            return
        self._scored.append((scores.stem, scores.measures))
        curves = dict(scores.curves)
        if 'precision' in curves and not self.protocol.f_of_means:
            curves['f'] = self._f(curves)
        for name, curve in curves.items():
            self._sums.setdefault(name, ExactSum()).add(curve)

    def evaluation(self) -> Evaluation:
        """Return the means.

        Raises:
            DataError: No image was scored.
        """
        if not self._scored:
            raise DataError(
                f"Protocol '{self.protocol.name}' scored no image. Give it images whose masks "
                'are not empty.'
                if self._skipped
                else 'No image was scored. Call step() first.'
            )
        curves = self._mean_curves()
        return Evaluation(
            protocol=self.protocol.name,
            count=len(self._scored),
            measures={
                measure.key: _value(measure, curves)
                if measure.averaging == 'curves'
                else math.fsum(own[measure.key] for _, own in self._scored) / len(self._scored)
                for measure in self.measures
            },
            curves=curves,
            per_image=tuple(
                {'stem': stem, **own} for stem, own in sorted(self._scored, key=itemgetter(0))
            ),
            skipped=tuple(sorted(self._skipped)),
            about={measure.key: measure.info() for measure in self.measures},
        )

    def _mean_curves(self) -> dict[str, FloatArray]:
        """Average the curves; F is that of the means or the mean, as the protocol says."""
        means = {name: sums.mean() for name, sums in self._sums.items()}
        if not means:
            return {}
        curves = {'thresholds': np.asarray(self.protocol.thresholds)}
        if 'precision' in means:
            f = means.pop('f') if 'f' in means else self._f(means)
            curves |= {name: means.pop(name) for name in ('precision', 'recall')} | {'f': f}
        return curves | means

    def _f(self, curves: Mapping[str, FloatArray]) -> FloatArray:
        return measures.f_measure(curves['precision'], curves['recall'], self.protocol.f_epsilon)


def score_image(
    prediction: NDArray[Any],
    mask: NDArray[Any],
    protocol: Protocol,
    stem: str = '',
    measures: Iterable[str | Measure] | None = None,
    curves: Sequence[str] = (),
) -> ImageScores:
    """Score one image as ``SaliencyEvaluator.step`` does, without an evaluator."""
    try:
        image = Comparison(prediction, mask, protocol)
        if protocol.skips_empty and not image.mask.any():
            return ImageScores(stem, {}, {})
        scores = {
            measure.key: _value(measure, image.curves if measure.averaging == 'curves' else image)
            for measure in find_measures(measures)
        }
    except DataError as error:
        raise DataError(f"Image '{stem}': {error}" if stem else str(error)) from error
    for name in curves:
        image.curves[name]
    return ImageScores(stem, scores, image.curves.computed)


def _value(measure: Measure, source: Comparison | Mapping[str, FloatArray]) -> float:
    """Return what a measure's function computes; the function may be a user's.

    Raises:
        DataError: The function fails, or its value is not a finite number.
    """
    try:
        value = float(measure.function(source))
    except Exception as error:
        raise DataError(
            f"The measure '{measure.key}' fails: {error!r}. Correct its function."
        ) from error
    if not math.isfinite(value):
        raise DataError(
            f"The measure '{measure.key}' is {value}, not a finite number. Correct its function."
        )
    return value
