"""Measures of binary maps, from how many pixels map and mask share.

The functions take a ``Confusion`` of one map or of many, and return a number for each, from 0 to
1 except the kappas, which are negative where map and mask agree less than by chance. A share of
nothing is 0, as in PySODMetrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sod_plugins.metrics.protocols import FloatArray

BETA_SQUARED = 0.3


@dataclass(frozen=True)
class Confusion:
    """How many pixels of binary maps are right and wrong.

    Attributes:
        hits: Salient pixels inside the object (true positives), an entry for each map.
        false_alarms: Salient pixels outside it (false positives), likewise.
        foreground: Pixels of the object.
        background: The other pixels.
    """

    hits: FloatArray
    false_alarms: FloatArray
    foreground: float
    background: float

    @property
    def rejections(self) -> FloatArray:
        """Return the pixels that are salient neither in the map nor in the mask."""
        return self.background - self.false_alarms


def precision(of: Confusion) -> FloatArray:
    """Return the share of salient pixels that are inside the object."""
    return _share(of.hits, of.hits + of.false_alarms)


def recall(of: Confusion) -> FloatArray:
    """Return the share of the object that is salient: the sensitivity, or true positive rate."""
    return _share(of.hits, of.foreground)


def specificity(of: Confusion) -> FloatArray:
    """Return the share of the background that is not salient: the true negative rate."""
    return _share(of.rejections, of.background)


def false_positive_rate(of: Confusion) -> FloatArray:
    """Return the share of the background that is salient."""
    return _share(of.false_alarms, of.background)


def dice(of: Confusion) -> FloatArray:
    """Return the Dice coefficient: F with beta² = 1."""
    return _share(2 * of.hits, of.hits + of.false_alarms + of.foreground)


def iou(of: Confusion) -> FloatArray:
    """Return the intersection over union."""
    return _share(of.hits, of.foreground + of.false_alarms)


def accuracy(of: Confusion) -> FloatArray:
    """Return the overall accuracy: the share of all pixels on which map and mask agree."""
    return _share(of.hits + of.rejections, of.foreground + of.background)


def cohen_kappa(of: Confusion) -> FloatArray:
    """Return Cohen's kappa: how far the accuracy exceeds that of chance."""
    return _beyond_chance(of, of.background)


def kappa(of: Confusion) -> FloatArray:
    """Return kappa as PySODMetrics 1.6.2 computes it, which is not quite Cohen's.

    For the chance to agree on the background, it takes the share of right pixels (TN + TP)
    instead of that of the background (TN + FP).
    """
    return _beyond_chance(of, of.rejections + of.hits)


def _beyond_chance(of: Confusion, background: FloatArray | float) -> FloatArray:
    salient, area = of.hits + of.false_alarms, of.foreground + of.background
    agreements = salient * of.foreground + (area - salient) * background
    by_chance = _share(agreements, np.square(float(area)))
    return _share(accuracy(of) - by_chance, 1 - by_chance)


def ber(of: Confusion) -> FloatArray:
    """Return the balanced error rate: the mean of the misses' and the false alarms' share."""
    return 1 - 0.5 * (recall(of) + specificity(of))


def f_measure(of: Confusion) -> FloatArray:
    """Return F with beta² = 0.3 (Achanta et al., CVPR 2009)."""
    p, r = precision(of), recall(of)
    return _share((1 + BETA_SQUARED) * p * r, BETA_SQUARED * p + r)


def area_under_curve(y: FloatArray, x: FloatArray) -> float:
    """Return the area under y as a function of x, by trapezoids.

    Args:
        y: (T,) values at ascending thresholds.
        x: (T,) values that never rise with the threshold, as recall and false positive rate.
    """
    return float(((x[:-1] - x[1:]) * (y[1:] + y[:-1])).sum() / 2)


def _share(part: FloatArray, whole: FloatArray | float) -> FloatArray:
    """Divide, where there is something to divide by; 0 elsewhere."""
    nothing = np.zeros(np.shape(part))
    result: FloatArray = np.divide(part, whole, out=nothing, where=np.not_equal(whole, 0))
    return result
