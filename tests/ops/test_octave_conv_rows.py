"""Each operator equals torch's own, in both memory formats and in float64."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from sod_plugins.ops.octave_conv import rows
from sod_plugins.ops.octave_conv.rows import max_pool2d, pointwise_conv, prelu_


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=['planes', 'pixels'])
def maps(request) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 7, 8, generator=generator, dtype=torch.float64)
    return x.contiguous(memory_format=request.param)


@pytest.mark.parametrize('pixels', [1, 2, 4])
def test_pointwise_conv_takes_several_pixels_at_once(maps, pixels):
    weight, bias = torch.randn(3, 5, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    block = torch.block_diag(*[weight] * pixels)
    out = pointwise_conv(maps, block, bias.repeat(pixels))
    expected = F.conv2d(maps, weight[:, :, None, None], bias)
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)
    assert out.is_contiguous(memory_format=torch.channels_last)
    total = out.clone(memory_format=torch.preserve_format)
    assert pointwise_conv(maps, block, None, total) is total
    expected = expected + F.conv2d(maps, weight[:, :, None, None])
    torch.testing.assert_close(total, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize('part', [2**16, 60, 1])
def test_prelu_has_a_slope_for_each_channel(maps, part, monkeypatch):
    monkeypatch.setattr(rows, 'PART', part)
    slopes = torch.tensor([0.25, -1.0, 0.0, 3.0, 1.0], dtype=torch.float64)
    assert torch.equal(prelu_(maps.clone(), slopes), F.prelu(maps, slopes))


@pytest.mark.parametrize('cell', [2, 3, 7])
def test_max_pool2d_drops_what_is_left_over(maps, cell):
    assert torch.equal(max_pool2d(maps, cell), F.max_pool2d(maps, cell))
