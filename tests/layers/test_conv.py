from __future__ import annotations

import pytest
import torch

from sod_plugins.layers.conv import AutocastConv2d, ConvNormAct, DepthwiseSeparableConv
from sod_plugins.layers.plain_context import LargeConv
from sod_plugins.networks.backbones.efficientnet_lite import SamePaddedConv


def gradients(conv, autocast):
    """Gradients of weight and input of a channels-last convolution on 64x64 maps."""
    generator = torch.Generator().manual_seed(0)
    x, cotangent = (torch.randn(2, 16, 64, 64, generator=generator) for _ in range(2))
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        y = conv(x)
    assert y.dtype == (torch.bfloat16 if autocast else torch.float32)
    cotangent = cotangent.to(y.dtype).to(memory_format=torch.channels_last)
    return torch.autograd.grad(y, (conv.weight, x), cotangent)


@pytest.mark.parametrize('make', [AutocastConv2d, SamePaddedConv, LargeConv])
@pytest.mark.parametrize('groups', [16, 4])
@pytest.mark.parametrize(('kernel', 'dilation'), [(3, 1), (3, 2), (5, 2), (3, 4)])
def test_gradients_in_autocast_are_those_of_float32(make, groups, kernel, dilation):
    torch.manual_seed(0)
    given = {'padding': dilation * (kernel // 2)} if make is AutocastConv2d else {}
    conv = make(16, 16, kernel, groups=groups, dilation=dilation, **given)
    conv.to(memory_format=torch.channels_last)
    for exact, rounded in zip(gradients(conv, False), gradients(conv, True), strict=True):
        # bfloat16 has 8 bits; the fault that this guards against is off by 1 to 1e35.
        assert (exact - rounded).abs().max() < 0.02 * exact.abs().max()


def test_only_dilated_convolutions_in_groups_leave_autocast():
    seen = []

    class Spy(AutocastConv2d):
        def _conv_forward(self, x, weight, bias):
            seen.append(torch.is_autocast_enabled('cpu'))
            return super()._conv_forward(x, weight, bias)

    x = torch.randn(1, 4, 8, 8)
    kinds = {'plain': {}, 'depthwise': {'groups': 4}, 'dilated': {'dilation': 2}}
    with torch.autocast('cpu', torch.bfloat16):
        for kind in kinds.values():
            Spy(4, 4, 3, **kind)(x)
        Spy(4, 4, 3, groups=4, dilation=2)(x)
        Spy(4, 4, 3, groups=2, dilation=2)(x)
    assert seen == [True, True, True, False, False]


def test_light_weight_blocks_are_guarded():
    block = DepthwiseSeparableConv(8, 8, 5, dilation=2)
    assert isinstance(block.depthwise.conv, AutocastConv2d)
    assert isinstance(ConvNormAct(4, 4, 3, dilation=2, groups=4).conv, AutocastConv2d)
