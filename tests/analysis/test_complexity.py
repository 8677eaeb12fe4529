from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.networks import CSNet

# Billions at 224x224: plain convolutions, and the CSNet authors' counter (paper's MACC columns).
TABLE = [
    ({'width': 1.0}, 0.4328, 0.6106),
    ({'width': 1.2}, 0.6022, 0.8163),
    ({'width': 1.5}, 0.8993, 1.1670),
    ({'width': 1.8}, 1.2552, 1.5763),
    ({'width': 2.0}, 1.5163, 1.8710),
    ({'split_ratio': (3, 1)}, 0.5611, 0.7805),
    ({'split_ratio': (1, 3)}, 0.3309, 0.4672),
    ({'split_ratio': (0, 1)}, 0.2552, 0.3500),
    # Their counter leaves the pooling out where a block has one scale on both sides.
    ({'split_ratio': (1, 0)}, 0.7158, 0.9071),
]


@pytest.mark.parametrize(('arguments', 'plain', 'authors'), TABLE)
def test_published_counts(arguments, plain, authors):
    network = CSNet(**arguments)
    # The table has four decimals.
    assert count_macs(network) / 1e9 == pytest.approx(plain, abs=5e-5)
    # Their counter truncates channel slices where we count the channels that there are: under 1 %.
    assert count_macs_csnet(network) / 1e9 == pytest.approx(authors, rel=0.01)


def test_extractor_by_the_authors_rules():
    """The paper prints 0.45G for this row; its own rules give 0.4956G."""
    extractor = CSNet(fuse_stages=())
    # The 1x1 classifier, 81 operations at 28x28, is not part of the extractor.
    assert count_macs_csnet(extractor) - 81 * 28 * 28 == pytest.approx(0.4956e9, abs=5e4)
    assert count_macs_csnet(CSNet(fuse_stages=(), vanilla=True)) == pytest.approx(3.31e9, rel=0.001)


def test_plain_count_by_hand_and_mode_is_kept():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, groups=4))
    network.train()
    assert count_macs(network, (8, 8)) == 4 * 4 * 4 * 27 + 2 * 2 * 4 * 9
    assert network.training
    assert count_parameters(network) == 4 * 27 + 4 + 4 * 9 + 4


def test_plain_count_equals_fvcore():
    fvcore = pytest.importorskip('fvcore.nn', reason='fvcore is the independent counter')
    network = CSNet().eval()
    counter = fvcore.FlopCountAnalysis(network, torch.zeros(1, 3, 64, 96))
    counter.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    assert count_macs(network, (64, 96)) == counter.by_operator()['conv']
