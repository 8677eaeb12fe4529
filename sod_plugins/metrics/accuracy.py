"""Accuracy of classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The rank of a class whose scores are not finite: below all others.
NOWHERE = 2**31


def class_place(scores: NDArray[np.floating], label: int) -> int:
    """Return the rank of the true class among the scores, counted from 0.

    Among equal scores, the class with the lower index comes first. If any score is not finite,
    the rank is ``NOWHERE``.

    Args:
        scores: One score per class (C,).
        label: Index of the true class.
    """
    if not np.isfinite(scores).all():
        return NOWHERE
    higher = int((scores > scores[label]).sum())
    return higher + int((scores[:label] == scores[label]).sum())


def topk_accuracy(places: Sequence[int], k: int) -> float:
    """Return the fraction of images whose true class is among the top k."""
    return float((np.asarray(places) < k).mean())
