from __future__ import annotations

import copy

import pytest
import torch
from reference_values import CSNET_VARIANTS, settle_statistics
from torch import nn

from sod_plugins.checkpoints.converters import csnet as converter
from sod_plugins.layers import channels_last
from sod_plugins.networks import CSFDecoder, CSNet, SAMNet, fuse

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


@pytest.mark.parametrize('arguments', CSNET_VARIANTS)
def test_octave_convolutions_take_their_norms_and_scale_in(arguments):
    torch.manual_seed(0)
    network = settled(CSNet(**{'stage_blocks': (2, 1, 2, 1), **arguments}))
    fused = fuse(network)
    assert norms(network) > norms(fused) == 0
    images = torch.randn(2, 3, 70, 45)
    with torch.no_grad():
        torch.testing.assert_close(fused(images), network(images), rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings('ignore::torch.jit.TracerWarning', 'ignore::DeprecationWarning')
def test_a_trace_takes_other_batch_sizes():
    torch.manual_seed(0)
    network = settled(CSNet(stage_blocks=(1, 1, 1, 1)))
    with torch.no_grad():
        # Odd numbers of pixels; PReLUs in one part each, and in several.
        traced = torch.jit.trace(fuse(network), torch.randn(2, 3, 71, 45))
        for batch in (1, 5):
            images = torch.randn(batch, 3, 71, 45)
            torch.testing.assert_close(traced(images), network(images), rtol=1e-4, atol=1e-4)


def test_octave_convolutions_pass_gradients_on():
    torch.manual_seed(0)
    network = settled(CSNet(stage_blocks=(1, 1, 1, 1))).double()
    fused = fuse(network)
    images = torch.randn(2, 3, 35, 48, dtype=torch.float64, requires_grad=True)

    def gradients(network):
        slopes = network.decode_head.merge.acts[0].weight
        return torch.autograd.grad(network(images).sum(), (images, slopes))

    torch.testing.assert_close(gradients(fused), gradients(network))


def test_the_released_csnet_keeps_its_logits(released_csnet, disk, tmp_path):
    network = converter.convert(*released_csnet, tmp_path / 'csnet.pth').eval()
    fused = fuse(network)
    with torch.no_grad():
        logits = fused(disk)
        torch.testing.assert_close(logits, network(disk), rtol=0, atol=1e-4)
    # The authors' own network on the same input.
    assert logits.mean().item() == pytest.approx(-3.1834659, abs=1e-4)


@pytest.mark.parametrize('recording', [False, True])
def test_the_implementation_of_goctconvs_is_chosen_whatever_the_gradient_mode(
    recording, monkeypatch
):
    network, images = settled(CSNet(stage_blocks=(1, 1, 1, 1))), torch.randn(2, 3, 48, 64)
    called = []

    def count(name):
        function = getattr(channels_last, name)

        def counted(*args):
            called.append(name)
            return function(*args)

        monkeypatch.setattr(channels_last, name, counted)

    count('prelu_')
    count('pointwise_conv')
    with torch.no_grad():
        expected = network.eval()(images)
    for implementation, chosen in (('reference', set()), ('rows', {'prelu_', 'pointwise_conv'})):
        fused = fuse(network, implementation).requires_grad_(False)
        called.clear()
        with torch.set_grad_enabled(recording):
            torch.testing.assert_close(fused(images), expected, rtol=0, atol=1e-4)
        assert set(called) == chosen


def test_an_implementation_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="implementation must be one of 'auto', 'rows', 'refer"):
        fuse(settled(CSNet(stage_blocks=(1, 1, 1, 1))), 'row')


def test_few_channels_are_resized():
    """Where a coarse map has fewer channels than what is made of it, the map itself is resized."""
    fused = fuse(settled(CSNet())).decode_head
    assert fused.merge.sources == [[[0, 1, 2]]]
    assert fused.fuse.sources == [[[1], [2], [0]], [[2], [0, 1]], [[0, 1, 2]]]


def test_a_decoder_of_other_norms_stays():
    decoder = CSFDecoder((32, 64), (8, 16), norm_layer=lambda channels: nn.GroupNorm(4, channels))
    assert decoder.fuse.fused() is decoder.dilated[0].fused() is None


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
