from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from sod_plugins.ops.dilated_conv import parallel_dilated_conv


# Dilations that exceed one side or both reach nothing there.
@pytest.mark.parametrize('size', [(7, 9), (3, 12), (2, 1)])
def test_it_equals_one_convolution_after_the_other(size):
    torch.manual_seed(0)
    dilations, channels = (1, 2, 5), (2, 1, 3)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    kernels = [torch.randn(o, 4, 3, 3, dtype=torch.float64) for o in channels]
    bias = torch.randn(6, dtype=torch.float64)
    taps = torch.cat(kernels).permute(2, 3, 0, 1).reshape(-1, 4)
    expected = [
        F.conv2d(x, kernel, shift, padding=d, dilation=d)
        for kernel, shift, d in zip(kernels, bias.split(channels), dilations, strict=True)
    ]
    out = parallel_dilated_conv(x, taps, bias, dilations, channels)
    torch.testing.assert_close(out, torch.cat(expected, 1), rtol=1e-12, atol=1e-12)
