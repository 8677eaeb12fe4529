"""Exact sums of arrays, whose memory does not grow with the number of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sod_plugins.metrics.protocols import FloatArray

_BITS = 30  # of a digit, so that 64 bits hold the sum of 2**32 digits


class ExactSum:
    """Sums arrays of one shape elementwise, as ``math.fsum`` sums lists: rounded once, at the end.

    Numbers are split into digits of 30 bits, and digits of one place are summed as integers. The
    sum therefore does not depend on the order of the arrays.

    Attributes:
        count: Number of arrays so far.
    """

    def __init__(self) -> None:
        self.count = 0
        # By place: a digit there counts 2**(-30 * place).
        self._digits: dict[int, NDArray[np.int64]] = {}

    def add(self, values: FloatArray) -> None:
        """Add an array.

        Raises:
            ValueError: A number is not finite.
        """
        if not np.isfinite(values).all():
            raise ValueError('Only finite numbers have an exact sum.')
        exponent = int(np.frexp(values)[1].max())  # all are below 2**exponent
        place = 1 - -(-exponent // _BITS)
        rest = values
        while True:
            digit = np.trunc(np.ldexp(rest, _BITS * place))
            if place not in self._digits:
                self._digits[place] = np.zeros(values.shape, np.int64)
            self._digits[place] += digit.astype(np.int64)
            rest = rest - np.ldexp(digit, -_BITS * place)
            if not rest.any():
                break
            place += 1
        self.count += 1

    def mean(self) -> FloatArray:
        """Return the rounded sum divided by the number of arrays.

        Raises:
            ValueError: There is none.
        """
        if not self.count:
            raise ValueError('There is no array to average.')
        last = max(0, *self._digits)
        whole = sum(
            digit.astype(object) * 2 ** (_BITS * (last - place))  # integers of any length
            for place, digit in self._digits.items()
        )
        # Python rounds the quotient of integers correctly.
        total: FloatArray = (whole / 2 ** (_BITS * last)).astype(float)
        return total / self.count
