from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sod_plugins.layers import AttentionConv, GlobalAttentionPooling, LocalAttentionPooling


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def settled(module: nn.Module, *inputs: torch.Tensor) -> nn.Module:
    """In float64, with statistics of one batch, in evaluation."""
    module = module.double()
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.momentum = 1.0
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.5, 0.5)
    module.train()(*inputs)
    return module.eval()


def normalised(norm: nn.BatchNorm2d, x: torch.Tensor) -> torch.Tensor:
    """BatchNorm by its definition."""
    mean, var, weight, bias = (
        v[:, None, None] for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def naive_local(x: torch.Tensor, generator: nn.Module) -> torch.Tensor:
    """Logits of the local attention, by the functions that Sec. 5.3 names."""
    conv, logits = generator.conv, generator.logits
    hidden = F.conv2d(x, conv.weight, conv.bias, conv.stride, 6, 2).relu()
    return normalised(generator.norm, F.conv2d(hidden, logits.weight, logits.bias))


def naive_neighbour(x: torch.Tensor, row: int, column: int, k: int) -> torch.Tensor:
    """Neighbour k of 7x7 at distance 2, zeros outside."""
    row, column = row + 2 * (k // 7) - 6, column + 2 * (k % 7) - 6
    inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
    return x[:, :, row, column] if inside else torch.zeros_like(x[:, :, 0, 0])


def test_global_attention_pooling_at_the_paper_s_size():
    x = torch.randn(2, 3, 28, 28, dtype=torch.float64)
    module = settled(GlobalAttentionPooling(3, hidden_channels=4), x)
    logits = F.conv2d(module.renet(x), module.logits.weight, module.logits.bias)
    weights = normalised(module.norm, logits).exp()
    weights = weights / weights.sum(1, keepdim=True)
    torch.testing.assert_close(module.attention(x), weights)
    expected = torch.zeros_like(x)
    for k in range(100):
        sample = x[:, :, 3 * (k // 10), 3 * (k % 10)]
        expected += weights[:, k : k + 1] * sample[:, :, None, None]
    torch.testing.assert_close(module(x), expected)
    fixed = GlobalAttentionPooling(3, dilation=3, hidden_channels=4).double().eval()
    fixed.load_state_dict(module.state_dict())
    torch.testing.assert_close(fixed(x), expected)
    assert torch.equal(fixed.sample(x), x[:, :, ::3, ::3])


@pytest.mark.parametrize('size', [(10, 10), (5, 9), (13, 3), (1, 2)])
def test_the_grid_of_global_attention_spans_any_map(size):
    """The samples of a plane z = row + 100 * column lie evenly from corner to corner."""
    module = GlobalAttentionPooling(1, (4, 3), hidden_channels=2).eval()
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in size)
    x = (rows[:, None] + 100 * columns)[None, None]
    across = [torch.arange(k) * (side - 1) / (k - 1) for k, side in zip((4, 3), size, strict=True)]
    torch.testing.assert_close(
        module.sample(x)[0, 0], (across[0][:, None] + 100 * across[1]).double()
    )
    assert module(x.float()).shape == (1, 1, *size)


def test_a_fixed_grid_is_refused_by_smaller_maps():
    module = GlobalAttentionPooling(2, 10, 3, hidden_channels=2)
    with pytest.raises(ValueError, match='outside features of 27 x 28'):
        module(torch.randn(1, 2, 27, 28))


def test_local_attention_pooling():
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    module = settled(LocalAttentionPooling(3, hidden_channels=5), x)
    weights = naive_local(x, module.weigh).softmax(1)
    torch.testing.assert_close(module.attention(x), weights)
    out = module(x)
    for row, column in ((0, 0), (4, 3), (8, 7)):
        expected = sum(
            weights[:, k, row, column, None] * naive_neighbour(x, row, column, k) for k in range(49)
        )
        torch.testing.assert_close(out[:, :, row, column], expected)


def test_attention_conv():
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    module = settled(AttentionConv(3, 4, hidden_channels=5), x)
    gates = 1 / (1 + (-naive_local(x, module.gate)).exp())
    torch.testing.assert_close(module.attention(x), gates)
    out, taps = module(x), module.conv.weight.flatten(2)
    for row, column in ((0, 0), (4, 3), (8, 7)):
        expected = module.conv.bias + sum(
            gates[:, k, row, column, None] * naive_neighbour(x, row, column, k) @ taps[..., k].T
            for k in range(49)
        )
        torch.testing.assert_close(out[:, :, row, column], expected)
    open_gates = torch.ones_like(gates)
    torch.testing.assert_close(module.attend(x, open_gates), module.conv(x))


def test_attention_conv_takes_strides_and_groups():
    conv = AttentionConv(4, 6, 3, 1, 2, groups=2, bias=False)
    assert conv(torch.randn(1, 4, 19, 10)).shape == (1, 6, 10, 5)
    assert conv.out_channels == 6


def test_the_norm_and_the_activation_are_choices():
    x = torch.randn(2, 3, 8, 8)
    plain = LocalAttentionPooling(3, hidden_channels=4, activation='sigmoid', batch_norm=False)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())
    logits = plain.weigh.logits(plain.weigh.conv(x).relu())
    torch.testing.assert_close(plain.attention(x), logits.sigmoid())
    softmax = AttentionConv(3, 2, hidden_channels=4, activation='softmax')
    torch.testing.assert_close(softmax.attention(x).sum(1), torch.ones(2, 8, 8))
    bare = GlobalAttentionPooling(3, 4, hidden_channels=2, batch_norm=False)
    torch.testing.assert_close(bare.attention(x), bare.logits(bare.renet(x)).softmax(1))


@pytest.mark.parametrize(
    ('build', 'message'),
    [
        (lambda: LocalAttentionPooling(2, activation='relu'), "activation must .* got 'relu'"),
        (lambda: LocalAttentionPooling(2, 4, 1), 'No padding centres kernel_size'),
        (lambda: GlobalAttentionPooling(2, 0), 'kernel_size must be'),
    ],
)
def test_refuses_what_is_no_module(build, message):
    with pytest.raises(ValueError, match=message):
        build()
