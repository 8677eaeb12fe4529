from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.inference.devices import input_dtype, move_network, zero_denormals


class Engine(nn.Module):
    """Stands for a network in a file, which has no parameters."""

    cpu_only = True


def test_a_network_without_parameters_notices_a_missing_device(monkeypatch):
    if torch.cuda.is_available():
        pytest.skip('there is a CUDA device')
    with pytest.raises(ValueError, match=r"^Cannot compute on device 'cuda': [^\n]+\.$"):
        move_network(nn.Identity(), 'cuda')
    with pytest.raises(ValueError, match=r"^Cannot compute on device 'cuda:7': [^\n]+\.$"):
        move_network(nn.Linear(1, 1), 'cuda:7')


def test_devices_that_hold_no_numbers_or_do_not_exist():
    with pytest.raises(ValueError, match="device 'meta': its tensors hold no numbers"):
        move_network(nn.Linear(1, 1), 'meta')
    with pytest.raises(ValueError, match="Cannot compute on device 'gpu'"):
        move_network(nn.Linear(1, 1), 'gpu')


def test_what_computes_on_the_cpu_alone_stays_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    _, device = move_network(Engine(), None)
    assert device == torch.device('cpu')
    monkeypatch.setattr(torch, 'empty', lambda *size, device: None)  # a GPU that is there
    with pytest.raises(ValueError, match="device 'cuda': Engine computes on the CPU only"):
        move_network(Engine(), 'cuda')


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_input_is_of_the_networks_type(dtype):
    assert input_dtype(nn.Linear(2, 2).to(dtype)) == dtype
    assert input_dtype(Engine()) == torch.float32


def test_tiny_weights_become_zero_and_others_stay():
    network = nn.BatchNorm1d(4)
    values = torch.tensor([1.0, 1e-29, 1e-31, -1e-40])
    network.weight.data.copy_(values)
    network.running_mean.copy_(values)
    assert zero_denormals(network) is network
    assert network.weight.tolist() == network.running_mean.tolist()
    assert network.weight.tolist() == [1.0, pytest.approx(1e-29, rel=1e-6), 0.0, 0.0]
    assert network.num_batches_tracked == 0
