from __future__ import annotations

import pytest
import torch
from reference_values import crc_values, fingerprint
from torch import nn

from sod_plugins.layers import ReNet
from sod_plugins.layers.renet import BidirectionalLSTM
from sod_plugins.networks import count_parameters


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def fill(lstm: BidirectionalLSTM, name: str) -> None:
    """Fill both directions with the reference values of an axis; theirs is the gates' own order."""
    hidden = lstm.hidden_channels
    columns = lstm.forward_input.shape[1] + hidden
    for direction, key in (('forward', 'fwd'), ('backward', 'bwd')):
        gates = [f'{name}.{key}.W{gate}' for gate in 'ifco']
        weight = torch.cat([0.2 * crc_values(g, hidden * columns).view(hidden, -1) for g in gates])
        biases = [0.1 * crc_values(f'{name}.{key}.b{gate}', hidden) for gate in 'ifco']
        biases[1] += 1
        with torch.no_grad():
            lstm.get_parameter(f'{direction}_input').copy_(weight[:, :-hidden])
            lstm.get_parameter(f'{direction}_hidden').copy_(weight[:, -hidden:])
            lstm.get_parameter(f'{direction}_bias').copy_(torch.cat(biases))


def test_released_order_gives_the_reference_values():
    network = ReNet(4, 3, 'columns_first').double()
    fill(network.first, 'vertical')
    fill(network.second, 'horizontal')
    out = network(crc_values('renet.x', 4 * 5 * 6).view(1, 4, 5, 6))
    assert out.shape == (1, 6, 5, 6)
    assert out.mean().item() == pytest.approx(-0.00240756, abs=5e-9)
    assert out.std(correction=0).item() == pytest.approx(0.05003446, abs=5e-9)
    expected = [0.0206522, 0.0605443, -0.0410370, -0.0536884, -0.0248723]
    assert fingerprint(out) == pytest.approx(expected, abs=5e-8)


def test_the_orders_are_each_other_s_transposes():
    rows, columns = ReNet(3, 2), ReNet(3, 2, 'columns_first')
    columns.load_state_dict(rows.state_dict())
    x = torch.randn(2, 3, 4, 7)
    torch.testing.assert_close(rows(x), columns(x.mT).mT)
    assert not torch.allclose(rows(x), columns(x), atol=1e-3)


def test_one_bias_stands_for_the_two_of_torch():
    lstm, reference = BidirectionalLSTM(3, 4), nn.LSTM(3, 4, bidirectional=True)
    names = ('weight_ih_l0', 'weight_hh_l0', 'bias_ih_l0')
    state = {
        f'{name}{suffix}': lstm.get_parameter(f'{direction}_{part}')
        for direction, suffix in (('forward', ''), ('backward', '_reverse'))
        for name, part in zip(names, ('input', 'hidden', 'bias'), strict=True)
    }
    state |= {f'bias_hh_l0{suffix}': torch.zeros(16) for suffix in ('', '_reverse')}
    reference.load_state_dict(state)
    x = torch.randn(5, 2, 3)
    torch.testing.assert_close(lstm(x), reference(x)[0], rtol=0, atol=0)
    assert count_parameters(reference) - count_parameters(lstm) == 8 * 4


def test_fresh_weights_are_the_released_ones():
    network = ReNet(8, 16)
    for name, parameter in network.named_parameters():
        if name.endswith('bias'):
            gates = parameter.detach().view(4, 16)
            assert (gates[1] == 1).all() and not gates[[0, 2, 3]].any()
        else:
            # The deviation of U(-a, a) is a / sqrt(3); 5 standard errors of 384 to 2048 draws.
            assert parameter.abs().max() <= 0.2
            assert parameter.std().item() == pytest.approx(0.2 / 3**0.5, rel=0.15)


def test_every_pixel_sees_the_whole_map():
    network = ReNet(2, 3).double()
    x = torch.randn(1, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    out = network(x)
    for row, column in ((0, 0), (3, 4), (1, 2)):
        (grad,) = torch.autograd.grad(out[0, :, row, column].sum(), x, retain_graph=True)
        assert (grad.abs().amax(1) > 0).all()
    assert torch.autograd.gradcheck(network, x)


def test_refuses_an_unknown_order():
    with pytest.raises(ValueError, match=r"order must be one of .* got 'diagonal'"):
        ReNet(2, 3, 'diagonal')
