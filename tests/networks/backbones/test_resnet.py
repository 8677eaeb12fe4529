from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks.backbones import ResNet


@pytest.mark.parametrize(
    ('depth', 'with_classifier'),
    [
        (18, 11_689_512),
        (34, 21_797_672),
        (50, 25_557_032),
        (101, 44_549_160),
        (152, 60_192_808),
    ],
)
def test_torchvision_s_parameter_counts(depth, with_classifier):
    with torch.device('meta'):
        network = ResNet(depth)
    classifier = (network.out_channels[-1] + 1) * 1000
    assert count_parameters(network) == with_classifier - classifier
    if depth in (50, 101):
        assert count_parameters(network) == {50: 23_508_032, 101: 42_500_160}[depth]


@pytest.mark.parametrize(
    'arguments',
    [
        {'depth': 18},
        {'depth': 50},
        {'depth': 50, 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
        {'depth': 34, 'strides': (1, 1, 2, 1)},
    ],
)
def test_maps_are_those_of_mmcv_behind_the_stem_s(arguments):
    cnn = pytest.importorskip('mmcv.cnn', reason='needs mmcv')
    torch.manual_seed(0)
    reference = cnn.ResNet(**arguments, style='pytorch', bn_eval=False)
    network = ResNet(**arguments)
    network.load_state_dict(reference.state_dict())
    images = torch.randn(2, 3, 37, 51)
    for training in (True, False):  # the first pass gives both the statistics of the second
        network.train(training)
        reference.train(training)
        with torch.no_grad():
            stem, *maps = network(images)
            expected = reference(images)
            if not training:
                conv = reference.bn1(reference.conv1(images)).relu()
                torch.testing.assert_close(stem, conv, rtol=0, atol=0)
        assert stem.shape == (2, 64, 19, 26)
        for actual, wanted in zip(maps, expected, strict=True):
            torch.testing.assert_close(actual, wanted, rtol=1e-4, atol=1e-4)


def test_strides_follow_the_arguments():
    assert ResNet(18).out_strides == (2, 4, 8, 16, 32)
    network = ResNet(18, out_indices=(4, 0), strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
    assert network.out_indices == (0, 4)
    assert network.out_strides == (2, 8)
    assert network.out_channels == (64, 512)


def test_dilations_reach_both_convolutions_of_a_basic_block():
    network = ResNet(18, dilations=(1, 1, 2, 4))
    for stage, expected in zip(network.stages[1:], (1, 1, 2, 4), strict=True):
        convolutions = [
            m for m in stage.modules() if isinstance(m, nn.Conv2d) and m.kernel_size == (3, 3)
        ]
        assert [conv.dilation for conv in convolutions] == [(expected, expected)] * 4


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'depth': 20}, 'depth must be one of 18, 34, 50, 101, 152, got 20'),
        ({'strides': (1, 2, 2)}, r'strides needs 4 positive entries, got \(1, 2, 2\)'),
        ({'dilations': (1, 0, 1, 1)}, 'dilations needs 4 positive entries'),
        ({'out_indices': (5,)}, 'out_indices needs stages from 0 to 4'),
    ],
)
def test_refuses_what_is_no_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        ResNet(**arguments)
