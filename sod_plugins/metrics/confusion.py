"""Measures of binary maps, computed from confusion counts.

Each function takes a ``Confusion`` of one or many maps and returns one number per map. Numbers lie
in [0, 1], except that the kappas are negative where map and mask agree less than by chance. A
ratio with denominator 0 is 0, as in PySODMetrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sod_plugins.metrics.protocols import FloatArray

BETA_SQUARED = 0.3


@dataclass(frozen=True)
class Confusion:
    """Pixel counts that say how binary maps agree with a mask.

    Attributes:
        hits: Salient pixels inside the object (true positives), one entry per map.
        false_alarms: Salient pixels outside the object (false positives), one entry per map.
        foreground: Number of pixels of the object.
        background: Number of the other pixels.
    """

    hits: FloatArray
    false_alarms: FloatArray
    foreground: float
    background: float

    @property
    def rejections(self) -> FloatArray:
        """Return the number of true negatives: pixels salient in neither the map nor the mask."""
        return self.background - self.false_alarms


def precision(of: Confusion) -> FloatArray:
    """Return the fraction of salient pixels that are inside the object."""
    return _share(of.hits, of.hits + of.false_alarms)


def recall(of: Confusion) -> FloatArray:
    """Return the fraction of the object that is salient: the sensitivity, or true positive rate."""
    return _share(of.hits, of.foreground)


def specificity(of: Confusion) -> FloatArray:
    """Return the fraction of the background that is not salient: the true negative rate."""
    return _share(of.rejections, of.background)


def false_positive_rate(of: Confusion) -> FloatArray:
    """Return the fraction of the background that is salient."""
    return _share(of.false_alarms, of.background)


def dice(of: Confusion) -> FloatArray:
    """Return the Dice coefficient, which is F with beta² = 1."""
    return _share(2 * of.hits, of.hits + of.false_alarms + of.foreground)


def iou(of: Confusion) -> FloatArray:
    """Return the intersection over union."""
    return _share(of.hits, of.foreground + of.false_alarms)


def accuracy(of: Confusion) -> FloatArray:
    """Return the overall accuracy: the fraction of all pixels on which map and mask agree."""
    return _share(of.hits + of.rejections, of.foreground + of.background)


def cohen_kappa(of: Confusion) -> FloatArray:
    """Return Cohen's kappa: how far the accuracy exceeds that of chance."""
    return _beyond_chance(of, of.background)


def kappa(of: Confusion) -> FloatArray:
    """Return kappa as PySODMetrics 1.6.2 computes it, which differs slightly from Cohen's.

    As the chance of agreeing on the background it takes the fraction of correct pixels (TN + TP)
    instead of that of background pixels (TN + FP).
    """
    return _beyond_chance(of, of.rejections + of.hits)


def _beyond_chance(of: Confusion, background: FloatArray | float) -> FloatArray:
    salient, area = of.hits + of.false_alarms, of.foreground + of.background
    agreements = salient * of.foreground + (area - salient) * background
    by_chance = _share(agreements, np.square(float(area)))
    return _share(accuracy(of) - by_chance, 1 - by_chance)


def ber(of: Confusion) -> FloatArray:
    """Return the balanced error rate: the mean of the miss rate and the false positive rate."""
    return 1 - 0.5 * (recall(of) + specificity(of))


def f_measure(of: Confusion) -> FloatArray:
    """Return F with beta² = 0.3 (Achanta et al., CVPR 2009)."""
    p, r = precision(of), recall(of)
    return _share((1 + BETA_SQUARED) * p * r, BETA_SQUARED * p + r)


def area_under_curve(y: FloatArray, x: FloatArray) -> float:
    """Return the area under y as a function of x, by the trapezoidal rule.

    Args:
        y: (T,) values at ascending thresholds.
        x: (T,) values that never rise with the threshold, such as recall and false positive rate.
    """
    return float(((x[:-1] - x[1:]) * (y[1:] + y[:-1])).sum() / 2)


def _share(part: FloatArray, whole: FloatArray | float) -> FloatArray:
    """Divide, and return 0 where the denominator is 0."""
    nothing = np.zeros(np.shape(part))
    result: FloatArray = np.divide(part, whole, out=nothing, where=np.not_equal(whole, 0))
    return result
