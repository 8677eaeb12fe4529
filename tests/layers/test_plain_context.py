from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sod_plugins.layers import GlobalPooling, LargeConv, LocalPooling


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def neighbours(x: torch.Tensor) -> torch.Tensor:
    """The 7x7 at distance 2 around every pixel, zeros outside: (N, C, 49, H, W)."""
    return F.unfold(x, 7, dilation=2, padding=6).view(*x.shape[:2], 49, *x.shape[2:])


def test_large_conv_reads_the_neighbours_of_every_pixel():
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    conv = LargeConv(3, 4).double()
    expected = torch.einsum('nckhw,ock->nohw', neighbours(x), conv.weight.flatten(2))
    torch.testing.assert_close(conv(x), expected + conv.bias[:, None, None])


def test_large_conv_takes_strides_and_groups():
    conv = LargeConv(4, 6, 3, 1, 2, groups=2, bias=False)
    assert conv(torch.randn(1, 4, 19, 10)).shape == (1, 6, 10, 5)
    assert conv.out_channels == 6


@pytest.mark.parametrize('mode', ['average', 'max'])
def test_pooling(mode):
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    local, everywhere = LocalPooling(3, mode=mode)(x), GlobalPooling(3, mode)(x)
    if mode == 'average':
        expected, whole = neighbours(x).mean(2), x.mean((2, 3), True)
    else:  # lifted above the zeros outside, which do not count
        expected, whole = neighbours(x + 100).amax(2) - 100, x.amax((2, 3), True)
    torch.testing.assert_close(local, expected)
    torch.testing.assert_close(everywhere, whole.expand(2, 3, 9, 8))


@pytest.mark.parametrize(
    'build', [lambda: GlobalPooling(2, 'mean'), lambda: LocalPooling(2, mode='mean')]
)
def test_refuses_other_modes(build):
    with pytest.raises(ValueError, match=r"mode must be one of .* got 'mean'"):
        build()
