from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.inference.compiled_csnet import positions
from sod_plugins.ops.octave_conv import compiled as kernels

pytest.importorskip('numba')

# Sums of up to 30 products of order 1 in float32, against float64.
CLOSE = {'rtol': 1e-5, 'atol': 1e-5}


def random(*shape: int) -> np.ndarray:
    return torch.randn(shape).numpy()


def tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).double()


def prelu(rows: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    return np.where(rows > 0, rows, slopes.reshape(-1, *[1] * (rows.ndim - 1)) * rows)


# More than one tile of pixels, odd numbers of results, and rows that make no group of four.
@pytest.mark.parametrize(('count', 'rows'), [(1, 1), (2, 4), (5, 7), (4, 10)])
@pytest.mark.parametrize(('add', 'last'), [(False, False), (False, True), (True, True)])
def test_mix_rows_sums_up_overlapping_rows(count, rows, add, last):
    torch.manual_seed(0)
    pixels = kernels.TILE + 91
    x, weight, bias, slopes = random(pixels + 40), random(count, rows), random(count), random(count)
    starts = np.arange(rows) * 13 % 40
    out = random(count, pixels)
    windows = np.stack([x[s : s + pixels] for s in starts]).astype(np.float64)
    expected = weight @ windows + bias[:, None] + (out if add else 0)
    expected = prelu(expected, slopes) if last else expected
    kernels.mix_rows(x, starts, weight, bias, slopes, out, add, last)
    np.testing.assert_allclose(out, expected, **CLOSE)


@pytest.mark.parametrize('dilation', [1, 2, 5])
@pytest.mark.parametrize(('add', 'last'), [(False, True), (True, False)])
def test_a_convolution_is_a_sum_of_shifted_rows(dilation, add, last):
    torch.manual_seed(0)
    d, (height, width) = dilation, (6, 9)
    x, weight, bias, slopes = random(3, height, width), random(4, 3, 3, 3), random(4), random(4)
    out = random(4, height, width)
    expected = F.conv2d(tensor(x), tensor(weight), tensor(bias), padding=d, dilation=d).numpy()
    expected = expected + out if add else expected
    expected = prelu(expected, slopes) if last else expected
    stride = width + d
    padded = random(3, (height + 2 * d) * stride + 2 * d)  # what it holds must not matter
    kernels.pad(x, d, padded)
    starts = [c * padded.shape[1] + a * d * stride + b * d for c, a, b in np.ndindex(3, 3, 3)]
    wide = np.zeros((4, height * stride), np.float32)
    arguments = (np.array(starts), weight.reshape(4, -1), bias, slopes, wide, False, False)
    kernels.mix_rows(padded.reshape(-1), *arguments)
    kernels.crop(wide.reshape(4, height, stride), slopes, out, add, last)
    np.testing.assert_allclose(out, expected, **CLOSE)


@pytest.mark.parametrize('size', [(7, 21), (1, 5), (4, 1), (2, 2)])
def test_depthwise_keeps_channels_apart(size):
    torch.manual_seed(0)
    x, weight, bias, slopes = random(3, *size), random(3, 3, 3), random(3), random(3)
    out = random(3, *size)
    kernels.depthwise(x, weight, bias, slopes, out)
    expected = F.conv2d(tensor(x), tensor(weight)[:, None], tensor(bias), padding=1, groups=3)
    np.testing.assert_allclose(out, prelu(expected.numpy(), slopes), **CLOSE)


def test_pools_drop_what_is_left_over():
    torch.manual_seed(0)
    x = random(2, 7, 5)
    for kernel, pool in ((kernels.max_pool, F.max_pool2d), (kernels.mean_pool, F.avg_pool2d)):
        out = random(2, 3, 2)
        kernel(x, out)
        np.testing.assert_allclose(out, pool(tensor(x), 2).numpy(), **CLOSE)


@pytest.mark.parametrize('kernel', [kernels.max_pool, kernels.adaptive_max_pool])
@pytest.mark.parametrize('place', [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_maxima_pass_nan_on(kernel, place):
    x, out = random(1, 4, 4), random(1, 2, 2)
    x[0, place[0], place[1]] = np.nan
    kernel(x, out)
    assert np.isnan(out[0]).tolist() == [[True, False], [False, False]]


def test_regions_of_an_adaptive_pool_overlap():
    torch.manual_seed(0)
    x, out = random(2, 7, 5), random(2, 4, 3)
    kernels.adaptive_max_pool(x, out)
    np.testing.assert_array_equal(out, F.adaptive_max_pool2d(torch.from_numpy(x), (4, 3)).numpy())


# Doubled width, which has a loop of its own, with and without doubled height; other sizes; pixels.
@pytest.mark.parametrize('size', [(10, 14), (11, 14), (11, 15), (20, 28), (3, 4), (5, 7)])
@pytest.mark.parametrize('add', [False, True])
def test_resize_is_torchs(size, add):
    torch.manual_seed(0)
    x, out = random(3, 5, 7), random(3, *size)
    expected = F.interpolate(tensor(x)[None], size=size, mode='bilinear')[0].numpy()
    expected = expected + out if add else expected
    kernels.resize(x, *positions(5, size[0]), *positions(7, size[1]), out, add)
    np.testing.assert_allclose(out, expected, **CLOSE)


def test_activate_leaves_what_is_positive():
    out = np.array([[1.0, -2, 0], [-1, 4, -0.5]], np.float32)
    kernels.activate(np.array([0.5, -3], np.float32), out)
    np.testing.assert_array_equal(out, [[1, -1, 0], [3, 4, 1.5]])
