from __future__ import annotations

import numpy as np
import pytest
import torch

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks import PiCANetASPP
from sod_plugins.networks.picanet.aspp import CONTEXTS

SMALL = dict(dilations=(3, 6), context_kernel=3, context_channels=5, attention_channels=4)


def build(context, **arguments):
    """Two branches on 6 channels, for 4 classes; attention that differs from pixel to pixel."""
    torch.manual_seed(0)
    net = PiCANetASPP(6, 4, 8, context, **{**SMALL, **arguments}).double().eval()
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            spread = torch.linspace(-0.5, 0.5, tensor.numel(), dtype=torch.float64)
            values = spread.view_as(tensor)[torch.randperm(len(tensor))]
            tensor.copy_(1.5 + values if 'var' in name or 'norm.weight' in name else values)
    return net


def taps(x, kernel, dilation):
    """Neighbours (C, K*K, H, W) of every pixel of (C, H, W), one by one, zeros outside."""
    channels, height, width = x.shape
    out = np.zeros((channels, kernel * kernel, height, width))
    half = kernel // 2
    for k, (u, v) in enumerate(np.ndindex(kernel, kernel)):
        for i, j in np.ndindex(height, width):
            row, column = i + dilation * (u - half), j + dilation * (v - half)
            if 0 <= row < height and 0 <= column < width:
                out[:, k, i, j] = x[:, row, column]
    return out


def straightforward(net, x, context, kernel, join):
    """Sec. 5.6 written down with the network's weights: (C, H, W) to (classes, H, W)."""
    weights = {name: tensor.numpy() for name, tensor in net.state_dict().items()}

    def conv(x, name, dilation=1):
        weight = weights[f'{name}.weight']
        columns = taps(x, weight.shape[-1], dilation)
        out = np.einsum('ock,ckhw->ohw', weight.reshape(*weight.shape[:2], -1), columns)
        return out + weights[f'{name}.bias'][:, None, None]

    def norm(x, name):
        mean, var, weight, bias = (
            weights[f'{name}.{key}'][:, None, None]
            for key in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return (x - mean) / np.sqrt(var + 1e-5) * weight + bias

    def relu(x):
        return np.maximum(x, 0)

    def attention(x, name, dilation):
        hidden = relu(conv(x, f'{name}.conv', dilation))
        return norm(conv(hidden, f'{name}.logits'), f'{name}.norm')

    total = 0
    for b, dilation in enumerate((3, 6)):
        branch, near = f'branches.{b}', dilation // 3
        y = conv(x, f'{branch}.fc6', dilation)
        both = [relu(y)]
        if context == 'LAP':
            logits = attention(x, f'{branch}.context.pool.weigh', near)
            alpha = np.exp(logits) / np.exp(logits).sum(0)
            both.append((taps(x, kernel, near) * alpha).sum(1))
        elif context == 'AC':
            name = f'{branch}.context.conv'
            gates = 1 / (1 + np.exp(-attention(x, f'{name}.gate', near)))
            weight = weights[f'{name}.conv.weight']
            gated = taps(x, kernel, near) * gates
            out = np.einsum('ock,ckhw->ohw', weight.reshape(*weight.shape[:2], -1), gated)
            out += weights[f'{name}.conv.bias'][:, None, None]
            both.append(relu(norm(out, f'{branch}.context.norm')))
        elif context == 'LC':
            out = conv(x, f'{branch}.context.conv', near)
            both.append(relu(norm(out, f'{branch}.context.norm')))
        y = np.concatenate(both)
        if join == 'input':
            y = relu(y)
        total = total + conv(relu(conv(y, f'{branch}.fc7')), f'{branch}.fc8')
    return total


@pytest.mark.parametrize('join', ['output', 'input'])
@pytest.mark.parametrize('context', CONTEXTS)
@torch.no_grad()
def test_branches_are_what_section_5_6_says(context, join):
    net = build(context, join=join)
    x = torch.randn(1, 6, 7, 9, dtype=torch.float64)  # negative too: LAP must not be cut off
    expected = straightforward(net, x[0].numpy(), context, SMALL['context_kernel'], join)
    torch.testing.assert_close(net(x)[0], torch.from_numpy(expected), rtol=1e-10, atol=1e-10)


def test_lap_is_cut_off_only_where_it_joins_the_input():
    x = torch.randn(1, 6, 7, 9, dtype=torch.float64)
    first, second = (build('LAP', join=join)(x) for join in ('output', 'input'))
    assert (first - second).abs().max() > 0.01


@pytest.mark.parametrize(
    ('context', 'parameters'),
    [
        # Fc6, Fc7 and Fc8 of VGG's size, four times
        ('none', 4 * (1024 * (9 * 512 + 1) + 1024 * (1024 + 1) + 21 * (1024 + 1))),
        # beside them a 7x7 convolution, its norm, and 512 more channels for Fc7 to read
        ('LC', 23_162_964 + 4 * (512 * (49 * 512 + 1) + 2 * 512 + 1024 * 512)),
        # and what makes its gates: 7x7 to 128 channels, 1x1 to 49, a norm
        ('AC', 76_646_484 + 4 * (128 * (49 * 512 + 1) + 49 * (128 + 1) + 2 * 49)),
        ('LAP', 23_162_964 + 4 * (128 * (49 * 512 + 1) + 49 * (128 + 1) + 2 * 49 + 1024 * 512)),
    ],
)
def test_size_on_vgg(context, parameters):
    with torch.device('meta'):
        assert count_parameters(PiCANetASPP(context=context)) == parameters


@pytest.mark.parametrize('arguments', [{}, {'batch_norm': True, 'pool': True, 'dropout': 0.0}])
@pytest.mark.parametrize('context', CONTEXTS)
def test_every_parameter_receives_a_finite_gradient(context, arguments):
    torch.manual_seed(0)
    net = PiCANetASPP(6, 4, 8, context, **SMALL, **arguments).train()
    net(torch.randn(2, 6, 13, 13)).square().sum().backward()
    gradients = {name: p.grad for name, p in net.named_parameters()}
    # What precedes a softmax or a norm is blind to a common shift.
    blind = ('.logits.bias', '.fc6.0.bias', '.fc7.0.bias', '.context.conv.bias', '.conv.conv.bias')
    assert all(g is not None and g.isfinite().all() for g in gradients.values())
    assert [n for n, g in gradients.items() if not g.any() and not n.endswith(blind)] == []


def test_pool5_is_the_maximum_of_neighbours():
    x = torch.zeros(1, 6, 5, 5, dtype=torch.float64)
    x[..., 2, 2] = 1
    net = build('LAP', pool=True)
    expected = torch.zeros_like(x)
    expected[..., 1:4, 1:4] = 1
    torch.testing.assert_close(net(x), build('LAP')(expected), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'context': 'GAP'}, "context must be one of .* got 'GAP'"),
        ({'join': 'sum'}, "join must be one of .* got 'sum'"),
        ({'context': 'AC', 'dilations': (6, 10)}, r'\(6, 10\) are not multiples of 3'),
        ({'context': 'AC', 'context_dilations': (2, 4)}, 'context_dilations needs 4 entries'),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiCANetASPP(6, 4, 8, **arguments)
