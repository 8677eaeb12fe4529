from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics
from torch.nn import functional as F

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.networks.backbones import ShuffleNet
from sod_plugins.networks.backbones.shufflenet import ShuffleUnit


@pytest.mark.parametrize(
    ('groups', 'channels', 'macs'),
    [  # Tab. 1; complexity in millions
        (1, (144, 288, 576), 143),
        (2, (200, 400, 800), 140),
        (3, (240, 480, 960), 137),
        (4, (272, 544, 1088), 133),
        (8, (384, 768, 1536), 137),
    ],
)
def test_the_paper_s_channels_and_complexity(groups, channels, macs):
    network = ShuffleNet(groups)
    assert network.out_channels == (24, 24, *channels)
    assert count_macs(network) / 1e6 == pytest.approx(macs, abs=0.6)


def test_parameters_by_the_structure():
    def unit(c_in, c_out, groups, first_groups):
        middle = c_out // 4
        convolved = c_out - c_in if c_in != c_out else c_out
        weights = c_in * middle // first_groups + 9 * middle + middle * convolved // groups
        return weights + 2 * (2 * middle + convolved)

    expected = 3 * 24 * 9 + 48
    for c_in, c_out, count in ((24, 240, 4), (240, 480, 8), (480, 960, 4)):
        expected += unit(c_in, c_out, 3, 1 if c_in == 24 else 3)
        expected += (count - 1) * unit(c_out, c_out, 3, 3)
    assert count_parameters(ShuffleNet()) == expected == 904_728


@pytest.mark.parametrize('stride', [1, 2])
def test_a_unit_computes_figure_2(stride):
    torch.manual_seed(0)
    c_in, c_out, groups = (12, 12, 3) if stride == 1 else (6, 24, 3)
    unit = ShuffleUnit(c_in, c_out, groups, groups, stride).double()
    x = torch.randn(2, c_in, 7, 5, dtype=torch.float64)
    settle_statistics(unit, x)

    def convolve(layer, y, stride=1, groups=1):
        weight, norm = layer.conv.weight, layer.norm
        y = F.conv2d(y, weight, None, stride, weight.shape[-1] // 2, 1, groups)
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        return (y - norm.running_mean.view(-1, 1, 1)) * scale.view(-1, 1, 1)

    middle = c_out // 4
    y = convolve(unit.reduce, x, groups=groups).relu()
    order = [g * (middle // groups) + k for k in range(middle // groups) for g in range(groups)]
    y = convolve(unit.depthwise, y[:, order], stride, middle)
    y = convolve(unit.expand, y, groups=groups)
    # Zeros around the map count in the average.
    pooled = F.conv2d(
        x, torch.full((c_in, 1, 3, 3), 1 / 9, dtype=x.dtype), None, 2, 1, 1, groups=c_in
    )
    expected = (x + y if stride == 1 else torch.cat([pooled, y], 1)).relu()
    torch.testing.assert_close(unit(x), expected)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'groups': 5}, 'groups must be one of 1, 2, 3, 4, 8, got 5'),
        ({'groups': 2, 'width': 0.5}, '2 groups .* at width 0.5 .* a quarter of the 100 channels'),
        ({'out_indices': (5,)}, 'out_indices needs stages from 0 to 4'),
    ],
)
def test_refuses_what_is_no_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        ShuffleNet(**arguments)
