from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics

from sod_plugins.networks import CSF, count_parameters, load_network, save_network
from sod_plugins.networks.registry import network_of_parts

LITE = {'type': 'EfficientNetLite', 'out_indices': (1, 2, 3, 4)}


def test_on_resnet_50_it_has_the_paper_s_size():
    with torch.device('meta'):
        network = CSF(fuse_channels=(128, 256, 512, 512), norm_groups=32)
    assert count_parameters(network) == 36_367_169  # 36.37M, Tab. 7


@pytest.mark.parametrize('size', [(64, 96), (71, 45)])
def test_any_size_is_taken_and_every_parameter_learns(size):
    torch.manual_seed(0)
    network = CSF(LITE, fuse_channels=(10, 15, 20, 25))
    assert count_parameters(network) < 4_000_000
    logits = network(torch.randn(2, 3, *size))
    assert logits.shape == (2, 1, *size)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert all(p.grad.any() for p in network.decode_head.parameters())


def test_a_checkpoint_describes_it(tmp_path):
    torch.manual_seed(0)
    network = CSF(LITE, (10, 15, 20, 25), norm_groups=5)
    settle_statistics(network, torch.randn(2, 3, 64, 64))
    save_network(tmp_path / 'csf.pth', network)
    loaded = load_network(tmp_path / 'csf.pth')
    images = torch.randn(1, 3, 48, 80)
    torch.testing.assert_close(loaded(images), network.eval()(images), rtol=0, atol=0)


def test_arguments_come_from_the_parts():
    network = CSF(LITE, (10, 15, 20, 25), norm_groups=5, weight_scale=100.0)
    parts = {'backbone': network.backbone, 'decode_head': network.decode_head}
    cls, arguments = network_of_parts(parts)
    assert cls is CSF
    assert arguments['backbone']['type'] == 'EfficientNetLite'
    assert {**arguments, 'backbone': LITE} == network.arguments
    again = CSF(**arguments)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in network.state_dict().items()
    }


def test_maps_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match=r'halve in size, got strides \(4, 16\)'):
        CSF({'type': 'EfficientNetLite', 'out_indices': (1, 3)})
