import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from sod_plugins.ops import paste_maps, roi_align, roi_pool

ROIS = torch.tensor(
    [
        [0, 12.3, 7.9, 61.2, 40.0],
        [1, 0.0, 0.0, 80.0, 56.0],
        [1, -30.0, -20.0, 13.7, 9.1],
        [0, 70.0, 10.0, 140.0, 90.0],
        [0, 20.0, 20.0, 20.5, 50.0],
        [1, -100.0, -90.0, 300.0, 200.0],
    ]
)


def draw_features() -> torch.Tensor:
    return torch.rand(2, 3, 7, 10, generator=torch.Generator().manual_seed(0)) - 0.3


def naive_align(features, roi, size, stride, samples):
    """Bilinear samples one by one, in float64."""
    x1, y1, x2, y2 = (v / stride - 0.5 for v in roi)
    channels, height, width = features.shape
    result = np.zeros((channels, *size))

    def sample(y, x):
        if not (-1 <= y <= height and -1 <= x <= width):
            return 0
        y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
        top, left = int(y), int(x)
        bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
        upper = features[:, top, left] * (1 - x + left) + features[:, top, right] * (x - left)
        lower = features[:, bottom, left] * (1 - x + left) + features[:, bottom, right] * (x - left)
        return upper * (1 - y + top) + lower * (y - top)

    for i, j in np.ndindex(*size):
        for k, m in np.ndindex(samples, samples):
            y = y1 + (y2 - y1) / size[0] * (i + (k + 0.5) / samples)
            x = x1 + (x2 - x1) / size[1] * (j + (m + 0.5) / samples)
            result[:, i, j] += sample(y, x) / samples**2
    return result


def naive_pool(features, roi, size, stride):
    x1, y1, x2, y2 = (math.floor(v / stride + 0.5) for v in roi)
    channels, height, width = features.shape
    rows, columns = max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)
    result = np.zeros((channels, *size))
    for i, j in np.ndindex(*size):
        top, bottom = y1 + i * rows // size[0], y1 + math.ceil((i + 1) * rows / size[0])
        left, right = x1 + j * columns // size[1], x1 + math.ceil((j + 1) * columns / size[1])
        window = features[
            :, min(max(top, 0), height) : max(bottom, 0), min(max(left, 0), width) : max(right, 0)
        ]
        if window.size:
            result[:, i, j] = window.max((1, 2))
    return result


@pytest.mark.parametrize('samples', [1, 2])
def test_align_like_naive_samples(samples: int) -> None:
    features = draw_features()
    result = roi_align(features, ROIS, (4, 6), 1 / 8, samples)
    for roi, maps in zip(ROIS.tolist(), result, strict=True):
        expected = naive_align(features[int(roi[0])].double().numpy(), roi[1:], (4, 6), 8, samples)
        np.testing.assert_allclose(maps.numpy(), expected, rtol=0, atol=5e-6)


@pytest.mark.mmdet
def test_align_like_mmcv() -> None:
    ops = pytest.importorskip('mmcv.ops')
    expected = ops.roi_align(draw_features(), ROIS, (28, 28), 1 / 8, 2, 'avg', True)
    result = roi_align(draw_features(), ROIS, (28, 28), 1 / 8)
    torch.testing.assert_close(result, expected, rtol=0, atol=5e-6)


def test_pool_like_naive_maxima() -> None:
    features = draw_features()
    result = roi_pool(features, ROIS, (4, 6), 1 / 8)
    for roi, maps in zip(ROIS.tolist(), result, strict=True):
        expected = naive_pool(features[int(roi[0])].numpy(), roi[1:], (4, 6), 8)
        np.testing.assert_array_equal(maps.numpy(), expected.astype(np.float32))


@pytest.mark.parametrize('pool', [roi_align, roi_pool])
def test_gradients_and_no_regions(pool) -> None:
    features = draw_features().double().requires_grad_()
    assert torch.autograd.gradcheck(lambda f: pool(f, ROIS[:4], (3, 3), 1 / 8), features)
    assert pool(features, torch.zeros(0, 5), (3, 3), 1 / 8).shape == (0, 3, 3, 3)


def test_maps_over_the_whole_image_are_pasted_like_a_resize() -> None:
    maps = torch.rand(3, 5, 8)
    expected = F.interpolate(maps[None], size=(33, 50), mode='bilinear')[0]
    result = paste_maps(maps, torch.tensor([[0.0, 0, 50, 33]]), (33, 50))
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-5)


def test_maps_of_boxes_are_pasted_where_these_lie() -> None:
    maps = torch.rand(3, 5, 8)
    boxes = torch.tensor([[3.2, 4.1, 20.7, 17.0], [-8.0, 2, 13, 40], [0, 0, 8, 5]])
    # Pixel centres in the coordinates of each box, from -1 to 1.
    x, y = torch.arange(24) + 0.5, torch.arange(30) + 0.5
    grids = [
        torch.stack(
            torch.meshgrid(
                (x - x1) / (x2 - x1) * 2 - 1, (y - y1) / (y2 - y1) * 2 - 1, indexing='xy'
            ),
            -1,
        )
        for x1, y1, x2, y2 in boxes.tolist()
    ]
    expected = F.grid_sample(
        maps[:, None], torch.stack(grids), padding_mode='border', align_corners=False
    )
    result = paste_maps(maps, boxes, (30, 24))
    torch.testing.assert_close(result, expected[:, 0], rtol=0, atol=1e-5)
    torch.testing.assert_close(result[2, :5, :8], maps[2], rtol=0, atol=1e-6)


def test_lanczos_reads_eight_cells_of_each_axis() -> None:
    def naive(values: np.ndarray, pixels: int) -> np.ndarray:
        """Enlarge the first axis in float64, one pixel after the other."""
        result = []
        for pixel in range(pixels):
            place = (pixel + 0.5) * len(values) / pixels - 0.5
            place = min(max(place, 0), len(values) - 1)
            first = math.floor(place) - 3
            weights = [
                np.sinc(place - i) * np.sinc((place - i) / 4) for i in range(first, first + 8)
            ]
            taps = [values[min(max(i, 0), len(values) - 1)] for i in range(first, first + 8)]
            result.append(np.einsum('i,i...->...', weights, taps) / sum(weights))
        return np.stack(result)

    maps = torch.rand(2, 5, 8)
    result = paste_maps(maps, torch.tensor([[0.0, 0, 50, 33]]), (33, 50), lanczos=True)
    for found, values in zip(result.numpy(), maps.double().numpy(), strict=True):
        expected = naive(naive(values, 33).T, 50).T
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
