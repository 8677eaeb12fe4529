from __future__ import annotations

import copy

import pytest
import torch
from reference_values import settle_statistics
from torch import nn

from sod_plugins.networks import CSNet, SAMNet, fuse

SMALL = {'type': 'SAMNet', 'width': 0.5, 'modules': (1, 1, 1, 1, 1)}


def settled(network: nn.Module) -> nn.Module:
    settle_statistics(network, torch.randn(8, 3, 64, 64))
    return network


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


# ResNet's stem stands under two names, EfficientNet's norms have names of their own.
@pytest.mark.parametrize('backbone', [SMALL, 'shufflenet_v2', 'efficientnet_lite0', 'resnet50'])
def test_norms_become_part_of_the_convolutions(backbone):
    torch.manual_seed(0)
    network = settled(SAMNet(backbone=backbone)).train()
    before = copy.deepcopy(network.state_dict())
    fused = fuse(network)
    assert norms(network) > norms(fused) == 0
    assert network.training and not fused.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    def outputs(network):
        z = network.decode_head(network.backbone(images))[0]
        return z, network(images).sigmoid()

    images = torch.randn(1, 3, 80, 56)
    with torch.no_grad():
        for got, expected in zip(outputs(fused), outputs(network.eval()), strict=True):
            torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


def test_type_and_description_stay():
    network = settled(SAMNet(backbone=SMALL)).to(torch.bfloat16)
    fused = fuse(network)
    assert {p.dtype for p in fused.parameters()} == {torch.bfloat16}
    assert (fused.arguments, fused.preprocessing) == (network.arguments, network.preprocessing)


def test_norms_that_follow_no_convolution_alone_stay():
    network = settled(CSNet())
    fused = fuse(network)
    assert norms(fused) == norms(network)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network(images), rtol=1e-4, atol=1e-4)


class TwoNorms(nn.Module):
    """A convolution that runs once for each of two norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 3)
        self.first, self.second = nn.BatchNorm2d(1), nn.BatchNorm2d(1)
        self.first.weight.data.fill_(2)

    def forward(self, x):
        return self.first(self.conv(x)) + self.second(self.conv(x))


class SideExit(TwoNorms):
    """A convolution whose result does not only feed its norm."""

    def forward(self, x):
        y = self.conv(x)
        return self.first(y) + y


def test_a_convolution_of_two_norms_stays():
    network = TwoNorms()
    fused = fuse(network)
    assert norms(fused) == 2
    images = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network.eval()(images))


class Tap(TwoNorms):
    """A convolution whose result a norm gets beside a ReLU, or behind one that works in place."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace)

    def forward(self, x):
        y = self.conv(x)
        z = self.relu(y)
        return self.first(y) + z


@pytest.mark.parametrize('inplace', [False, True])
def test_a_convolution_before_a_norm_and_another_layer_stays(inplace):
    network = Tap(inplace)
    fused = fuse(network)
    assert norms(fused) == 2
    images = torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network.eval()(images))


def test_a_result_that_is_needed_without_its_norm_is_found():
    with pytest.raises(ValueError, match='Fusing SideExit changes saliency by'):
        fuse(SideExit())


def test_broken_weights_are_found():
    network = settled(SAMNet(backbone=SMALL))
    network.decode_head.laterals[0].conv.weight.data[0] = torch.nan
    with pytest.raises(ValueError, match='check that its weights are finite'):
        fuse(network)
