from __future__ import annotations

import copy
import pickle

import pytest
import torch
from reference_values import CSNET_VARIANTS, settle_statistics

from sod_plugins.checkpoints.converters import csnet as converter
from sod_plugins.inference import CompiledCSNet, open_network
from sod_plugins.networks import CSNet, SAMNet, save_network

pytest.importorskip('numba')


@pytest.mark.parametrize('arguments', CSNET_VARIANTS)
def test_logits_are_those_of_the_network(arguments):
    """On a batch of odd sizes, on others, some so small that cells grow, and on the first again."""
    torch.manual_seed(0)
    network = CSNet(**{'stage_blocks': (2, 1, 2, 1), **arguments})
    settle_statistics(network, torch.randn(8, 3, 64, 64))
    compiled = CompiledCSNet(network)
    for size in ((70, 45), (32, 48), (20, 20), (31, 16), (16, 200), (70, 45)):
        images = torch.randn(2, 3, *size)
        with torch.no_grad():
            torch.testing.assert_close(compiled(images), network(images), rtol=1e-4, atol=1e-4)


def test_the_released_csnet_keeps_its_logits(released_csnet, disk, tmp_path):
    network = converter.convert(*released_csnet, tmp_path / 'csnet.pth')
    logits = open_network(tmp_path / 'csnet.pth', 'numba')(disk)
    with torch.no_grad():
        torch.testing.assert_close(logits, network.eval()(disk), rtol=0, atol=1e-4)
    # The authors' own network on the same input.
    assert logits.mean().item() == pytest.approx(-3.1834659, abs=1e-4)


def test_no_images_give_no_logits():
    assert CompiledCSNet(CSNet(weight_scale=1.0))(torch.zeros(0, 3, 32, 48)).shape == (0, 1, 32, 48)


def test_the_default_type_of_torch_does_not_matter():
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1))
    settle_statistics(network, torch.randn(4, 3, 32, 32))
    images = torch.randn(1, 3, 32, 32)
    expected = CompiledCSNet(network)(images)
    torch.set_default_dtype(torch.float64)
    try:
        got = CompiledCSNet(network)(images)
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(got, expected)


@pytest.mark.parametrize('shape', [(2, 1, 32, 32), (2, 4, 32, 32), (3, 32, 32)])
def test_images_of_another_form_are_refused(shape):
    with pytest.raises(ValueError, match=r'CSNet takes images \(N, 3, H, W\), got'):
        CompiledCSNet(CSNet(weight_scale=1.0))(torch.zeros(shape))


def test_copies_and_pickles_compute_the_same():
    network = CSNet(stage_blocks=(1, 1, 1, 1))
    settle_statistics(network, torch.randn(4, 3, 32, 32))
    compiled = CompiledCSNet(network)
    images = torch.randn(1, 3, 32, 32)
    expected = compiled(images)
    for other in (copy.deepcopy(compiled), pickle.loads(pickle.dumps(compiled))):
        assert torch.equal(other(images), expected)


def test_small_images_and_other_networks_are_refused(tmp_path):
    with pytest.raises(ValueError, match='images of at least 16x16 pixels, got 15x40'):
        CompiledCSNet(CSNet(weight_scale=1.0))(torch.zeros(1, 3, 15, 40))
    save_network(tmp_path / 'samnet.pth', SAMNet())
    with pytest.raises(ValueError, match='is a SAMNet: the numba backend computes CSNet only'):
        open_network(tmp_path / 'samnet.pth', 'numba')
    with pytest.raises(ValueError, match='which numba does not read'):
        open_network(tmp_path / 'network.onnx', 'numba')
