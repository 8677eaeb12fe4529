"""Accuracy of classifiers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# The place of a class in scores that are not finite: below all others.
NOWHERE = 2**31


def class_place(scores: NDArray[np.floating], label: int) -> int:
    """Return at which place, from 0, the true class stands among the scores.

    Among equal scores the class with the lower number comes first. In scores that are not all
    finite it stands nowhere: at ``NOWHERE``.

    Args:
        scores: One score per class (C,).
        label: The number of the true class.
    """
    if not np.isfinite(scores).all():
        return NOWHERE
    higher = int((scores > scores[label]).sum())
    return higher + int((scores[:label] == scores[label]).sum())


def topk_accuracy(places: Sequence[int], k: int) -> float:
    """Return the share of images whose class is among the k first, from 0 to 1."""
    return float((np.asarray(places) < k).mean())
