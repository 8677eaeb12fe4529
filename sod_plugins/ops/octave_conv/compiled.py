"""Loops of gOctConv on one image, compiled by numba for the current processor.

Maps are C-contiguous arrays (channels, height, width) of float32, and a kernel treats each channel
as one long row. Vectors are therefore full however few the channels are; the libraries behind torch
and the engines vectorise over channels, of which CSNet's finest scales have ten. A kernel writes to
a given array. Arrays should be aligned to 64 bytes.

Without numba they run as plain Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Kernel = TypeVar('Kernel', bound=Callable[..., None])

TILE = 512  # values of a row that are summed before the next, to stay in the first-level cache


def _compile(function: Kernel) -> Kernel:
    """Compile at the first call, and cache the result on disk for other processes."""
    try:
        from numba import njit
    except ImportError:
        return function
    # Sums may be reordered and contracted, but NaN and infinity are not assumed to be absent.
    compiled: Kernel = njit(
        function, cache=True, nogil=True, fastmath={'contract', 'reassoc', 'nsz'}
    )
    return compiled


@_compile
def mix_rows(
    x: Array,
    starts: Indices,
    weight: Array,
    bias: Array,
    slopes: Array,
    out: Array,
    add: bool,
    last: bool,
) -> None:
    """Sum weighted rows of values; a convolution is such a sum of shifted rows.

    Args:
        x: All values, in one row.
        starts: Start of each of K rows in it; rows may overlap.
        weight: Weights (O, K) of the rows for each output.
        bias: Bias (O) of each output.
        slopes: PReLU slope (O) of each output.
        out: Outputs (O, P).
        add: Whether to add to the values in ``out``.
        last: Whether to apply PReLU afterwards.
    """
    count, rows = weight.shape
    fours = rows // 4 * 4
    spare = np.zeros(TILE, np.float32)  # pairs with the last of an odd number of outputs
    for begin in range(0, out.shape[1], TILE):
        n = min(TILE, out.shape[1] - begin)
        for o in range(0, count, 2):
            # Two outputs at a time share what is loaded.
            pair = 1 if o + 1 < count else 0
            y = out[o, begin : begin + n]
            z = out[o + 1, begin : begin + n] if pair else spare[:n]
            v, w = weight[o], weight[o + pair]
            shift_y, shift_z = bias[o], bias[o + pair]
            if add:
                for p in range(n):
                    y[p] += shift_y
                    z[p] += shift_z
            else:
                for p in range(n):
                    y[p] = shift_y
                    z[p] = shift_z
            for k in range(0, fours, 4):
                s0, s1 = starts[k] + begin, starts[k + 1] + begin
                s2, s3 = starts[k + 2] + begin, starts[k + 3] + begin
                x0, x1, x2, x3 = x[s0 : s0 + n], x[s1 : s1 + n], x[s2 : s2 + n], x[s3 : s3 + n]
                v0, v1, v2, v3 = v[k], v[k + 1], v[k + 2], v[k + 3]
                w0, w1, w2, w3 = w[k], w[k + 1], w[k + 2], w[k + 3]
                for p in range(n):
                    # Named, or they would be loaded again, because `y` might alias them.
                    a, b, c, d = x0[p], x1[p], x2[p], x3[p]
                    y[p] += v0 * a + v1 * b + v2 * c + v3 * d
                    z[p] += w0 * a + w1 * b + w2 * c + w3 * d
            for k in range(fours, rows):
                s0 = starts[k] + begin
                x0, v0, w0 = x[s0 : s0 + n], v[k], w[k]
                for p in range(n):
                    a = x0[p]
                    y[p] += v0 * a
                    z[p] += w0 * a
            if last:
                slope_y, slope_z = slopes[o], slopes[o + pair]
                for p in range(n):
                    a, b = y[p], z[p]
                    y[p] = a if a > 0 else slope_y * a
                    z[p] = b if b > 0 else slope_z * b


@_compile
def pad(x: Array, d: int, out: Array) -> None:
    """Copy maps (C, H, W) to rows (C, (H + 2d)(W + d) + 2d) of zeros.

    There are d rows of zeros above and below a map, and d zeros before and after each row, shared
    by the end of one row and the beginning of the next.
    """
    channels, height, width = x.shape
    for c in range(channels):
        row = out[c]
        start = d + d * (width + d)
        row[:start] = 0
        for i in range(height):
            row[start : start + width] = x[c, i]
            row[start + width : start + width + d] = 0
            start += width + d
        row[start:] = 0


@_compile
def crop(x: Array, slopes: Array, out: Array, add: bool, last: bool) -> None:
    """Copy the first columns of maps (C, H, W + d) to ``out`` (C, H, W); see :func:`mix_rows`."""
    channels, height, width = out.shape
    for c in range(channels):
        slope = slopes[c]
        for i in range(height):
            source, y = x[c, i], out[c, i]
            for j in range(width):
                value = y[j] + source[j] if add else source[j]
                y[j] = slope * value if last and value < 0 else value


@_compile
def activate(slopes: Array, out: Array) -> None:
    """Apply PReLU in place to rows (C, P), with one slope per channel (C)."""
    for c in range(out.shape[0]):
        y, slope = out[c], slopes[c]
        for p in range(y.shape[0]):
            y[p] = y[p] if y[p] > 0 else slope * y[p]


@_compile
def depthwise(x: Array, weight: Array, bias: Array, slopes: Array, out: Array) -> None:
    """Convolve each channel of maps (C, H, W) with its 3x3 kernel (C, 3, 3), then apply PReLU."""
    channels, height, width = x.shape
    zeros = np.zeros(width, np.float32)
    for c in range(channels):
        k, shift, slope = weight[c], bias[c], slopes[c]
        k0, k1, k2 = k[0, 0], k[0, 1], k[0, 2]
        k3, k4, k5 = k[1, 0], k[1, 1], k[1, 2]
        k6, k7, k8 = k[2, 0], k[2, 1], k[2, 2]
        for i in range(height):
            a = x[c, i - 1] if i else zeros
            b = x[c, i]
            d = x[c, i + 1] if i + 1 < height else zeros
            y = out[c, i]
            for j in range(1, width - 1):
                value = shift + (k0 * a[j - 1] + k1 * a[j] + k2 * a[j + 1])
                value += k3 * b[j - 1] + k4 * b[j] + k5 * b[j + 1]
                value += k6 * d[j - 1] + k7 * d[j] + k8 * d[j + 1]
                y[j] = value if value > 0 else slope * value
            for j in (0, width - 1):
                value = shift + k1 * a[j] + k4 * b[j] + k7 * d[j]
                if j > 0:
                    value += k0 * a[j - 1] + k3 * b[j - 1] + k6 * d[j - 1]
                if j + 1 < width:
                    value += k2 * a[j + 1] + k5 * b[j + 1] + k8 * d[j + 1]
                y[j] = value if value > 0 else slope * value


@_compile
def max_pool(x: Array, out: Array) -> None:
    """Max-pool maps (C, H, W) over 2x2 pixels; an odd row or column is dropped."""
    channels, height, width = out.shape
    for c in range(channels):
        for i in range(height):
            a, b, y = x[c, 2 * i], x[c, 2 * i + 1], out[c, i]
            for j in range(width):
                # NumPy's maximum propagates NaN, like torch's pooling; Python's may drop it.
                upper = np.maximum(a[2 * j], a[2 * j + 1])
                y[j] = np.maximum(upper, np.maximum(b[2 * j], b[2 * j + 1]))


@_compile
def adaptive_max_pool(x: Array, out: Array) -> None:
    """Max-pool maps (C, H, W) to as many regions as ``out`` has pixels."""
    channels, height, width = x.shape
    rows, columns = out.shape[1:]
    for c in range(channels):
        for i in range(rows):
            top, bottom = i * height // rows, -(-(i + 1) * height // rows)
            for j in range(columns):
                left, right = j * width // columns, -(-(j + 1) * width // columns)
                value = x[c, top, left]
                for a in range(top, bottom):
                    for b in range(left, right):
                        value = np.maximum(value, x[c, a, b])
                out[c, i, j] = value


@_compile
def mean_pool(x: Array, out: Array) -> None:
    """Average-pool maps (C, H, W) over 2x2 pixels; an odd row or column is dropped."""
    channels, height, width = out.shape
    for c in range(channels):
        for i in range(height):
            a, b, y = x[c, 2 * i], x[c, 2 * i + 1], out[c, i]
            for j in range(width):
                y[j] = (a[2 * j] + a[2 * j + 1] + b[2 * j] + b[2 * j + 1]) / 4


@_compile
def resize(
    x: Array,
    rows: Indices,
    row_shares: Array,
    columns: Indices,
    column_shares: Array,
    out: Array,
    add: bool,
) -> None:
    """Resize maps (C, H, W) bilinearly to ``out``, or add the result to its values.

    Row i of the output lies ``row_shares[i]`` of the way from row ``rows[i]`` to the next. The same
    holds for columns.
    """
    channels, height, width = x.shape
    doubled = out.shape[2] == 2 * width
    # Resize all rows of a map before its columns: a row just written is slow to read.
    mixed = np.empty((out.shape[1], width + 2), np.float32)
    for c in range(channels):
        for i in range(out.shape[1]):
            a, share, m = x[c, rows[i]], row_shares[i], mixed[i]
            b = x[c, min(rows[i] + 1, height - 1)]
            for j in range(width):
                m[j + 1] = a[j] + (b[j] - a[j]) * share
            m[0], m[width + 1] = m[1], m[width]
        for i in range(out.shape[1]):
            m, y = mixed[i], out[c, i]
            if doubled:  # constant weights, which vectorise
                for j in range(width):
                    left = np.float32(0.25) * m[j] + np.float32(0.75) * m[j + 1]
                    right = np.float32(0.75) * m[j + 1] + np.float32(0.25) * m[j + 2]
                    y[2 * j] = y[2 * j] + left if add else left
                    y[2 * j + 1] = y[2 * j + 1] + right if add else right
            else:
                for j in range(out.shape[2]):
                    start, end = m[columns[j] + 1], m[columns[j] + 2]
                    value = start + (end - start) * column_shares[j]
                    y[j] = y[j] + value if add else value
