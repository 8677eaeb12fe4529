from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.layers.conv import AutocastConv2d, DepthwiseSeparableConv
from sod_plugins.layers.picanet import LocalAttentionPooling
from sod_plugins.layers.plain_context import LargeConv
from sod_plugins.networks.backbones.efficientnet_lite import SamePaddedConv
from sod_plugins.networks.backbones.resnet import ResNet
from sod_plugins.networks.backbones.vgg import VGG
from sod_plugins.networks.s4net.mask_branch import S4NetMaskBranch
from sod_plugins.ops.conv import conv2d


def gradients(conv, autocast):
    """Gradients of weight and input of a channels-last convolution on 64x64 maps."""
    generator = torch.Generator().manual_seed(0)
    x, cotangent = (torch.randn(2, 24, 64, 64, generator=generator) for _ in range(2))
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        y = conv(x)
    assert y.dtype == (torch.bfloat16 if autocast else torch.float32)
    cotangent = cotangent.to(y.dtype).to(memory_format=torch.channels_last)
    return torch.autograd.grad(y, (conv.weight, x), cotangent)


@pytest.mark.parametrize('make', [AutocastConv2d, SamePaddedConv, LargeConv])
@pytest.mark.parametrize('groups', [24, 4, 1])
@pytest.mark.parametrize(('kernel', 'dilation'), [(3, 1), (3, 2), (5, 2), (3, 4)])
def test_gradients_in_autocast_are_those_of_float32(make, groups, kernel, dilation):
    torch.manual_seed(0)
    given = {'padding': dilation * (kernel // 2)} if make is AutocastConv2d else {}
    conv = make(24, 24, kernel, groups=groups, dilation=dilation, **given)
    conv.to(memory_format=torch.channels_last)
    for exact, rounded in zip(gradients(conv, False), gradients(conv, True), strict=True):
        # bfloat16 has 8 bits; the fault that this guards against is off by 1 to 1e35.
        assert (exact - rounded).abs().max() < 0.02 * exact.abs().max()


def test_only_dilated_convolutions_leave_autocast():
    seen = []

    class Spy(AutocastConv2d):
        def _conv_forward(self, x, weight, bias):
            seen.append(torch.is_autocast_enabled('cpu'))
            return super()._conv_forward(x, weight, bias)

    x = torch.randn(1, 4, 8, 8)
    kinds = [{}, {'groups': 4}, {'dilation': 2}, {'groups': 4, 'dilation': 2}]
    with torch.autocast('cpu', torch.bfloat16):
        for kind in kinds:
            Spy(4, 4, 3, **kind)(x)
    assert seen == [True, True, False, False]


@pytest.mark.parametrize('groups', [24, 1])
def test_function_has_the_gradients_of_float32_in_autocast(groups):
    class Function(nn.Conv2d):
        def forward(self, x):
            return conv2d(x, self.weight, padding=2, dilation=2, groups=self.groups)

    torch.manual_seed(0)
    conv = Function(24, 24, 3, groups=groups, bias=False).to(memory_format=torch.channels_last)
    for exact, rounded in zip(gradients(conv, False), gradients(conv, True), strict=True):
        assert (exact - rounded).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize(
    'build',
    [
        lambda: VGG(dilations=(1, 1, 1, 2, 2), fc_channels=8, fc_dilation=12),
        lambda: ResNet(strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4)),
        lambda: S4NetMaskBranch(8, (8, 4)),
        lambda: LocalAttentionPooling(8),
        lambda: DepthwiseSeparableConv(8, 8, 5, dilation=2),
    ],
    ids=['VGG', 'ResNet', 'S4Net', 'PiCANet', 'depthwise separable'],
)
def test_dilated_convolutions_are_guarded(build):
    convs = [m for m in build().modules() if isinstance(m, nn.Conv2d) and max(m.dilation) > 1]
    assert convs
    assert all(isinstance(conv, AutocastConv2d) for conv in convs)
