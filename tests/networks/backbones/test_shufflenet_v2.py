from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics
from torch.nn import functional as F

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.networks.backbones import ShuffleNetV2
from sod_plugins.networks.backbones.shufflenet_v2 import ShuffleV2Unit


@pytest.mark.parametrize(
    ('width', 'parameters', 'macs'),
    [  # torchvision's, the latter in millions
        (0.5, 1_366_792, 40),
        (1.0, 2_278_604, 145),
        (1.5, 3_503_624, 296),
        (2.0, 7_393_996, 583),
    ],
)
def test_torchvision_s_size_and_cost(width, parameters, macs):
    network = ShuffleNetV2(width, last_conv=True)
    last = network.out_channels[-1]
    assert count_parameters(network) == parameters - 1000 * (last + 1)
    assert (count_macs(network) + 1000 * last) / 1e6 == pytest.approx(macs, abs=0.6)


def test_the_last_convolution_is_optional():
    network, longer = ShuffleNetV2(), ShuffleNetV2(last_conv=True)
    assert count_parameters(longer) - count_parameters(network) == 464 * 1024 + 2 * 1024
    assert network.out_channels == (24, 24, 116, 232, 464)
    assert longer.out_channels == (24, 24, 116, 232, 1024)


def test_torchvision_s_names():
    keys = {key for key in ShuffleNetV2(last_conv=True).state_dict() if key.endswith('weight')}

    def convolutions_and_norms(prefix, *indices):
        return {f'{prefix}.{i}.weight' for i in indices}

    expected = convolutions_and_norms('conv1', 0, 1) | convolutions_and_norms('conv5', 0, 1)
    for stage, count in ((2, 4), (3, 8), (4, 4)):
        expected |= convolutions_and_norms(f'stage{stage}.0.branch1', 0, 1, 2, 3)
        for unit in range(count):
            expected |= convolutions_and_norms(f'stage{stage}.{unit}.branch2', 0, 1, 3, 4, 5, 6)
    assert keys == expected


@pytest.mark.parametrize('stride', [1, 2])
def test_a_unit_computes_figure_3(stride):
    torch.manual_seed(0)
    c_in, c_out = (8, 8) if stride == 1 else (6, 8)
    unit = ShuffleV2Unit(c_in, c_out, stride).double()
    x = torch.randn(2, c_in, 7, 5, dtype=torch.float64)
    settle_statistics(unit, x)

    def convolve(branch, index, y, relu=True, stride=1):
        weight, norm = branch[index].weight, branch[index + 1]
        groups = y.shape[1] // weight.shape[1]
        y = F.conv2d(y, weight, None, stride, weight.shape[-1] // 2, 1, groups)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        y = (y - norm.running_mean.view(-1, 1, 1)) * scale.view(-1, 1, 1)
        return y.relu() if relu else y

    left, right = (x, x) if stride == 2 else (x[:, :4], x[:, 4:])
    if stride == 2:
        left = convolve(unit.branch1, 0, left, relu=False, stride=2)
        left = convolve(unit.branch1, 2, left)
    right = convolve(unit.branch2, 0, right)
    right = convolve(unit.branch2, 3, right, relu=False, stride=stride)
    right = convolve(unit.branch2, 5, right)
    out = unit(x)
    torch.testing.assert_close(out[:, 0::2], left)
    torch.testing.assert_close(out[:, 1::2], right)


def test_refuses_other_widths():
    with pytest.raises(ValueError, match=r'width must be one of 0\.5, 1\.0, 1\.5, 2\.0, got 0\.75'):
        ShuffleNetV2(0.75)
