from __future__ import annotations

import pytest
import torch

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.networks.backbones import MobileNet


@pytest.mark.parametrize(
    ('width', 'parameters', 'macs'),
    [  # in millions, Tab. 6
        (1.0, 4.2, 569),
        (0.75, 2.6, 325),
        (0.5, 1.3, 149),
        (0.25, 0.5, 41),
    ],
)
def test_the_paper_s_size_and_cost(width, parameters, macs):
    network = MobileNet(width)
    last = network.out_channels[-1]
    assert (count_parameters(network) + 1000 * (last + 1)) / 1e6 == pytest.approx(
        parameters, abs=0.05
    )
    assert (count_macs(network) + 1000 * last) / 1e6 == pytest.approx(macs, abs=0.6)


def test_the_exact_counts():
    assert count_parameters(MobileNet()) == 3_206_976 == 4_231_976 - 1000 * 1025


def test_the_layers_of_table_1():
    network = MobileNet()
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    rows = [(m.in_channels, m.out_channels, m.stride[0], m.groups) for m in convolutions]
    table = [(3, 32, 2, 1)]
    for width, (out, stride) in zip(
        (32, 64, 128, 128, 256, 256, *(512,) * 6, 1024),
        (
            *((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)),
            *((512, 1),) * 5,
            *((1024, 2), (1024, 1)),
        ),
        strict=True,
    ):
        table += [(width, width, stride, width), (width, out, 1, 1)]
    assert rows == table
    assert network.out_channels == (64, 128, 256, 512, 1024)


def test_each_map_is_the_last_one_at_its_stride():
    network = MobileNet(0.25).eval()
    x = torch.randn(1, 3, 50, 67)
    with torch.no_grad():
        maps = network(x)
        seen = {}
        for layer in network.features:
            x = layer(x)
            seen[x.shape[-2:]] = x
    assert list(seen) == [(25, 34), (13, 17), (7, 9), (4, 5), (2, 3)]
    assert all(torch.equal(a, b) for a, b in zip(maps, seen.values(), strict=True))
