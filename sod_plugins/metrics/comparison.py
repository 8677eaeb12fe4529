"""A saliency map paired with its mask. Everything that measures need is computed on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins.data import DataError
from sod_plugins.metrics import confusion, measures
from sod_plugins.metrics.confusion import Confusion
from sod_plugins.metrics.levels import (
    LevelCounts,
    count_levels,
    map_levels,
    mask_levels,
    resize_nearest,
)
from sod_plugins.metrics.protocols import FloatArray, Normalisation, Protocol, normalise


class Comparison:
    """One saliency map and its mask under a protocol.

    Args:
        prediction: (H, W) saliency, uint8 from 0 to 255 or floating point from 0 to 1.
        mask: (H, W) ground truth, bool, uint8 from 0 to 255 or floating point from 0 to 1.
        protocol: The evaluation protocol.

    Attributes:
        protocol: The evaluation protocol.
        grey_mask: (H, W) uint8, the levels of the mask.
        mask: (H, W) bool, the foreground of the mask.
        curves: The quantities that depend on the threshold, by name; arrays (T,).

    Raises:
        DataError: An array is not (H, W), the sizes differ (except under ``survey``), or an array
            has another type or values out of range.
    """

    def __init__(self, prediction: NDArray[Any], mask: NDArray[Any], protocol: Protocol) -> None:
        self.protocol = protocol
        self.grey_mask = _fitting_mask(prediction, mask, protocol)
        self.mask: NDArray[np.bool_] = self.grey_mask >= protocol.foreground_level
        self.curves = ImageCurves(self)
        self._levels = map_levels(prediction, protocol.keeps_floats)

    @cached_property
    def counts(self) -> LevelCounts:
        """Return how often each level of the map occurs inside and outside the object."""
        return count_levels(*self._levels, self.mask)

    @cached_property
    def values(self) -> FloatArray:
        """Return the normalised value (K,) of each level."""
        return self._normalised(self.protocol.normalisation)

    @cached_property
    def saliency(self) -> FloatArray:
        """Return the normalised map (H, W)."""
        return self.map_of(self.values)

    @cached_property
    def structure_values(self) -> FloatArray:
        """Return the values (K,) of the levels, normalised for the S-measure."""
        if self.protocol.structure_normalisation == self.protocol.normalisation:
            return self.values
        return self._normalised(self.protocol.structure_normalisation)

    @cached_property
    def structure_saliency(self) -> FloatArray:
        """Return the map (H, W) , normalised for the S-measure."""
        same = self.structure_values is self.values
        return self.saliency if same else self.map_of(self.structure_values)

    @cached_property
    def by_threshold(self) -> Confusion:
        """Return the confusion counts of the map at each threshold; arrays (T,)."""
        return self.confusion_of(self.values, self.counts.totals)

    @cached_property
    def adaptive(self) -> Confusion:
        """Return the counts of the map at or above min(2 · its mean, 1), under every protocol."""
        return self._binarised(measures.adaptive_threshold(self.saliency), strict=False)

    @cached_property
    def fixed(self) -> Confusion:
        """Return the counts of the map above 0.5."""
        return self._binarised(0.5, strict=True)

    def map_of(self, values: FloatArray) -> FloatArray:
        """Return the map (H, W) whose levels take the values (K,)."""
        pixels: FloatArray = np.take(values, self._levels[1])
        return pixels

    def confusion_of(self, values: FloatArray, totals: FloatArray) -> Confusion:
        """Compare the map with the mask at each of the protocol's thresholds.

        Args:
            values: (K,) ascending values of the levels.
            totals: (2, K) pixel counts of each level: background, foreground.
        """
        keys, thresholds = self.protocol.comparison_keys(values)
        hits, false_alarms = measures.count_salient(
            keys, totals, thresholds, strict=self.protocol.strict
        )
        background, foreground = totals.sum(axis=1).tolist()
        return Confusion(hits, false_alarms, foreground, background)

    def precision_recall(self, of: Confusion) -> tuple[FloatArray, FloatArray]:
        """Return precision and recall with the protocol's epsilons."""
        return self.protocol.precision_recall(of.hits, of.false_alarms, of.foreground)

    def _normalised(self, rule: Normalisation) -> FloatArray:
        values = self.counts.values
        occurring = values[self.counts.totals.any(axis=0)]
        return normalise(values, float(occurring[0]), float(occurring[-1]), rule)

    def _binarised(self, threshold: float, *, strict: bool) -> Confusion:
        totals = self.counts.totals
        hits, false_alarms = measures.count_salient(
            self.values, totals, np.array([threshold]), strict=strict
        )
        background, foreground = totals.sum(axis=1).tolist()
        return Confusion(hits, false_alarms, foreground, background)


class ImageCurves(Mapping[str, FloatArray]):
    """The curves of one image by name, each an array (T,) over the protocol's thresholds.

    ``precision`` and ``recall`` include the protocol's epsilons, and ``f`` is computed from them.
    ``e`` is the E-measure. The others are those of ``CONFUSION_CURVES``.

    Attributes:
        computed: The curves requested so far, which the data set's means need.
    """

    def __init__(self, of: Comparison) -> None:
        self._of = of
        self.computed: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name == 'f':
            return measures.f_measure(
                self['precision'], self['recall'], self._of.protocol.f_epsilon
            )
        if name not in self.computed:
            self.computed |= self._compute(name)
        return self.computed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(CURVE_NAMES)

    def __len__(self) -> int:
        return len(CURVE_NAMES)

    def _compute(self, name: str) -> dict[str, FloatArray]:
        counts = self._of.by_threshold
        if name in ('precision', 'recall'):
            return dict(
                zip(('precision', 'recall'), self._of.precision_recall(counts), strict=True)
            )
        if name == 'e':
            area = counts.foreground + counts.background
            return {
                'e': measures.e_measure(counts.hits, counts.false_alarms, counts.foreground, area)
            }
        return {name: CONFUSION_CURVES[name](counts)}


CONFUSION_CURVES: dict[str, Callable[[Confusion], FloatArray]] = {
    'specificity': confusion.specificity,
    'fpr': confusion.false_positive_rate,
    'dice': confusion.dice,
    'iou': confusion.iou,
    'accuracy': confusion.accuracy,
    'kappa': confusion.kappa,
    'cohen_kappa': confusion.cohen_kappa,
    'ber': confusion.ber,
}
CURVE_NAMES = ('precision', 'recall', 'f', 'e', *CONFUSION_CURVES)


def _fitting_mask(
    prediction: NDArray[Any], mask: NDArray[Any], protocol: Protocol
) -> NDArray[np.uint8]:
    """Return the mask as levels 0..255, resized to the prediction if the protocol says so."""
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
