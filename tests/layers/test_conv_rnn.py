from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sod_plugins.layers import ConvCNNCell, ConvGRUCell, ConvLSTMCell, ConvRNNCell

pytestmark = pytest.mark.usefixtures('double_precision')
CELLS = {'rnn': ConvRNNCell, 'gru': ConvGRUCell, 'lstm': ConvLSTMCell}
TORCH_CELLS = {'rnn': nn.RNNCell, 'gru': nn.GRUCell, 'lstm': nn.LSTMCell}


@pytest.mark.parametrize('given_state', [False, True])
@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('name', CELLS)
def test_at_one_pixel_it_is_the_cell_of_pytorch(name, bias, given_state):
    cell, reference = CELLS[name](5, 4, 1, bias=bias), TORCH_CELLS[name](5, 4, bias=bias)
    with torch.no_grad():
        cell.conv_input.weight.copy_(reference.weight_ih[:, :, None, None])
        cell.conv_hidden.weight.copy_(reference.weight_hh[:, :, None, None])
        if bias:
            cell.conv_input.bias.copy_(reference.bias_ih)
            cell.conv_hidden.bias.copy_(reference.bias_hh)
    x = torch.randn(3, 5)
    state = tuple(torch.randn(3, 4) for _ in range(2 if name == 'lstm' else 1))
    expected = (state if name == 'lstm' else state[0]) if given_state else None
    start = tuple(s[:, :, None, None] for s in state) if given_state else None
    states = cell(x[:, :, None, None], start, steps=3)
    assert len(states) == 3
    for got in states:
        expected = reference(x, expected)
        for a, b in zip(got, expected if name == 'lstm' else (expected,), strict=True):
            torch.testing.assert_close(a[:, :, 0, 0], b, rtol=0, atol=1e-14)


def naive_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Convolve by loops over pixels and taps, zeros beyond the border."""
    out = conv.bias.view(1, -1, 1, 1).repeat(len(x), 1, *x.shape[2:])
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            for a in range(3):
                for b in range(3):
                    row, column = i + a - 1, j + b - 1
                    if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                        out[:, :, i, j] += x[:, :, row, column] @ conv.weight[:, :, a, b].T
    return out


def sigmoid(x: Tensor) -> Tensor:
    return 1 / (1 + torch.exp(-x))


def naive_steps(name: str, cell: nn.Module, x: Tensor, steps: int, activate) -> list[Tensor]:
    """Step by the textbook's equations, every convolution anew at every step."""
    h = c = torch.zeros(len(x), 2, *x.shape[2:])
    outputs = []
    for _ in range(steps):
        from_x, from_h = naive_conv(x, cell.conv_input), naive_conv(h, cell.conv_hidden)
        xs, hs = from_x.split(2, dim=1), from_h.split(2, dim=1)
        if name == 'rnn':
            h = activate(xs[0] + hs[0])
        elif name == 'gru':
            r, z = sigmoid(xs[0] + hs[0]), sigmoid(xs[1] + hs[1])
            h = (1 - z) * activate(xs[2] + r * hs[2]) + z * h
        else:
            i, f, o = (sigmoid(xs[k] + hs[k]) for k in (0, 1, 3))
            c = f * c + i * activate(xs[2] + hs[2])
            h = o * activate(c)
        outputs.append(h)
    return outputs


@pytest.mark.parametrize('nonlinearity', ['tanh', 'relu'])
@pytest.mark.parametrize('name', CELLS)
def test_equals_a_naive_loop_over_pixels(name, nonlinearity):
    cell = CELLS[name](3, 2, nonlinearity=nonlinearity)
    x = torch.randn(2, 3, 4, 5)
    with torch.no_grad():
        expected = naive_steps(name, cell, x, 3, getattr(torch, nonlinearity))
        states = cell(x, steps=3)
    for (h, *_), reference in zip(states, expected, strict=True):
        torch.testing.assert_close(h, reference, rtol=0, atol=1e-13)


@pytest.mark.parametrize('name', CELLS)
def test_derivatives_of_three_steps(name):
    cell = CELLS[name](2, 2)
    state = tuple(torch.randn(1, 2, 3, 2) for _ in range(2 if name == 'lstm' else 1))
    names = [key for key, _ in cell.named_parameters()]

    def outputs(x, *rest):
        parameters = dict(zip(names, rest[len(state) :], strict=True))
        states = torch.func.functional_call(cell, parameters, (x, rest[: len(state)], 3))
        return tuple(s for step in states for s in step)

    inputs = [torch.randn(1, 2, 3, 2), *state, *(p.detach().clone() for p in cell.parameters())]
    assert torch.autograd.gradcheck(outputs, [x.requires_grad_() for x in inputs])


def test_the_input_is_convolved_once_and_a_zero_state_never():
    cell, calls = ConvGRUCell(3, 2), []
    for conv in (cell.conv_input, cell.conv_hidden):
        conv.register_forward_hook(lambda module, *_: calls.append(module))
    cell(torch.randn(1, 3, 4, 4), steps=3)
    assert calls == [cell.conv_input, cell.conv_hidden, cell.conv_hidden]


@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('name', CELLS)
def test_one_step_from_zero_needs_no_convolution_of_the_hidden_map(name, bias):
    x = torch.randn(2, 3, 4, 4)
    whole, cut = CELLS[name](3, 2, bias=bias), CELLS[name](3, 2, bias=bias, recurrent=False)
    cut.load_state_dict(whole.state_dict(), strict=False)
    if bias:
        nn.init.zeros_(whole.conv_hidden.bias)
    torch.testing.assert_close(cut(x)[0], whole(x)[0], rtol=0, atol=0)
    assert not any('hidden' in key for key in cut.state_dict())
    with pytest.raises(ValueError, match='takes one step'):
        cut(x, steps=2)
    with pytest.raises(ValueError, match='from the zero state'):
        cut(x, cut(x)[0])


def test_the_plain_form_is_a_rectified_convolution():
    cell, x = ConvCNNCell(3, 2), torch.randn(1, 3, 4, 5)
    (state,) = cell(x)
    expected = naive_conv(x, cell.conv_input).clamp(min=0)
    torch.testing.assert_close(state, (expected,), rtol=0, atol=1e-14)


@pytest.mark.parametrize('name', CELLS)
def test_half_precision_and_channels_last(name):
    cell, x = CELLS[name](3, 2), torch.randn(2, 3, 4, 5)
    expected = cell(x, steps=2)[-1][0]
    last = cell(x.to(memory_format=torch.channels_last), steps=2)[-1][0]
    torch.testing.assert_close(last, expected, rtol=0, atol=1e-14)
    half = cell.bfloat16()(x.bfloat16(), steps=2)[-1][0]
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0, atol=0.03)  # 8 bits of mantissa


def test_refuses_what_is_no_cell():
    with pytest.raises(ValueError, match='odd kernel, got kernel_size=2'):
        ConvRNNCell(3, 2, 2)
    with pytest.raises(ValueError, match="one of 'tanh', 'relu', got 'elu'"):
        ConvGRUCell(3, 2, nonlinearity='elu')
