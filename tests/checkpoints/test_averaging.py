from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics

from sod_plugins.checkpoints import average_networks, load_network, save_network
from sod_plugins.networks import CSNet, Preprocessing


@pytest.fixture
def files(tmp_path):
    """Two networks of one structure and different weights, statistics and input sizes."""
    paths = [tmp_path / 'first.pth', tmp_path / 'second.safetensors']
    for seed, path in enumerate(paths):
        torch.manual_seed(seed)
        network = CSNet(width=0.4, stage_blocks=(1, 1, 1, 1))
        settle_statistics(network, torch.randn(2, 3, 32, 32))
        save_network(path, network, Preprocessing(size=(32, 32 + 16 * seed)))
    return paths


@pytest.mark.parametrize('weights', [None, (0.3, 0.7), (1, 0)])
def test_every_value_is_the_weighted_mean(files, weights):
    average = average_networks(files, weights)
    first, second = (load_network(path).state_dict() for path in files)
    shares = weights or (0.5, 0.5)
    assert any(not torch.equal(first[name], second[name]) for name in first)
    for name, value in average.state_dict().items():
        expected = second[name]
        if value.is_floating_point():
            expected = (
                shares[0] * first[name].double() + shares[1] * second[name].double()
            ).float()
        torch.testing.assert_close(value, expected, rtol=0, atol=0, msg=name)
    assert average.preprocessing.size == (32, 48)
    assert not average.training


@pytest.mark.parametrize(
    ('weights', 'message'),
    [
        ((0.5,), '1 weights are given for 2 checkpoints'),
        ((0.5, 0.6), r'weights are 0\.5 0\.6\. .* sum is 1'),
        ((-0.5, 1.5), r'weights are -0\.5 1\.5\. .* from 0'),
        ((float('nan'), 1), 'weights are nan 1'),
    ],
)
def test_wrong_weights_are_refused(files, weights, message):
    with pytest.raises(ValueError, match=message):
        average_networks(files, weights)


def test_networks_of_other_structure_are_refused(files, tmp_path):
    other = tmp_path / 'other.pth'
    save_network(other, CSNet(width=0.4, stage_blocks=(1, 1, 1, 2)))
    with pytest.raises(ValueError, match=r'first\.pth and .*other\.pth .* different structure'):
        average_networks([*files, other])
    with pytest.raises(ValueError, match='two checkpoints or more'):
        average_networks(files[:1])
