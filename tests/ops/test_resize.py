from __future__ import annotations

import pytest
import torch

from sod_plugins.ops import resize, resize_bilinear
from sod_plugins.ops.resize import average_pool


def test_half_pixel_centres_without_antialiasing():
    row = torch.tensor([[[[0.0, 4.0, 8.0, 12.0]]]])
    # Shrinking by 2 reads between pixels 0, 1 and 2, 3; antialiasing would mix all four.
    torch.testing.assert_close(resize_bilinear(row, (1, 2)), torch.tensor([[[[2.0, 10.0]]]]))
    # Growing by 2 reads at -0.25, 0.25, 0.75, ... of a pixel, clamped at the border.
    wide = resize_bilinear(row, (1, 8))
    expected = torch.tensor([[[[0.0, 1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 12.0]]]])
    torch.testing.assert_close(wide, expected)


@pytest.mark.parametrize(
    ('mode', 'expected'),
    [
        # Three pixels from five: each covers 5/3 of a pixel, its centre lies in pixel 0, 2 and 4.
        ('nearest', [0.0, 4.0, 16.0]),
        ('area', [0.5, 14 / 3, 12.5]),  # of the pixels 0 and 1, 1 to 3, 3 and 4
        ('max', [1.0, 9.0, 16.0]),
        ('bilinear', [0.0 + 1 / 3, 4.0, 16.0 - 7 / 3]),
    ],
)
def test_other_ways_to_shrink(mode, expected):
    row = torch.tensor([[[[0.0, 1.0, 4.0, 9.0, 16.0]]]])
    torch.testing.assert_close(resize(row, (1, 3), mode), torch.tensor([[[expected]]]))
    assert resize(row, (1, 5), mode) is row


@pytest.mark.parametrize('align_corners', [False, True])
@pytest.mark.parametrize('size', [(336, 10), (3, 2), (1, 1), (7, 5)])
def test_exporters_get_single_channels_without_an_interpolation(size, align_corners):
    class Resize(torch.nn.Module):
        def forward(self, x):
            return resize_bilinear(x, size, align_corners=align_corners)

    one, three = torch.randn(2, 1, 7, 5), torch.randn(2, 3, 7, 5)
    exported = torch.export.export(Resize(), (one,))
    assert 'upsample' not in exported.graph_module.code
    torch.testing.assert_close(exported.module()(one), Resize()(one), rtol=1e-6, atol=1e-6)
    assert 'upsample' in torch.export.export(Resize(), (three,)).graph_module.code


@pytest.mark.parametrize('size', [(1, 1), (2, 3), (3, 2), (6, 6), (11, 7)])
def test_exporters_get_adaptive_pooling_as_products(size):
    class Pool(torch.nn.Module):
        def forward(self, x):
            return average_pool(x, size)

    x = torch.randn(2, 3, 11, 7, dtype=torch.float64)
    exported = torch.export.export(Pool(), (x,))
    assert 'pool' not in exported.graph_module.code
    torch.testing.assert_close(
        exported.module()(x), torch.nn.functional.adaptive_avg_pool2d(x, size)
    )
    torch.testing.assert_close(Pool()(x), exported.module()(x))
