from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics

from sod_plugins.networks import CSF, count_parameters, load_network, save_network

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


def test_arguments_come_from_the_registered_parts():
    head = {
        'type': 'sod_plugins.CSFHead',
        'in_channels': (24, 40, 112, 320),
        'fuse_channels': (10, 15, 20, 25),
        'norm_cfg': {'type': 'GN', 'num_groups': 5},
    }
    backbone = {**LITE, 'type': 'sod_plugins.EfficientNetLite'}
    arguments = CSF.arguments_of_parts(backbone, head)
    assert arguments == {
        'backbone': LITE,
        'fuse_channels': (10, 15, 20, 25),
        'dilated_channels': None,
        'channels': None,
        'weight_scale': 100.0,  # the head's default, where the network's is the plain 1
        'coarsening': 'max_pool',
        'norm_groups': 5,
    }
    assert CSF(**arguments).decode_head.merge.norms is not None
    with pytest.raises(ValueError, match='all maps of its backbone in order'):
        CSF.arguments_of_parts(backbone, {**head, 'in_channels': (24, 40, 112)})
    with pytest.raises(ValueError, match='normalisation LN'):
        CSF.arguments_of_parts(backbone, {**head, 'norm_cfg': {'type': 'LN'}})


def test_maps_that_do_not_halve_are_refused():
    with pytest.raises(ValueError, match=r'halve in size, got strides \(4, 16\)'):
        CSF({'type': 'EfficientNetLite', 'out_indices': (1, 3)})
