from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from sod_plugins.layers import AttentionConv, GlobalAttentionPooling
from sod_plugins.networks import Decoded, picanet_losses
from sod_plugins.networks.picanet.losses import (
    global_attention_loss,
    local_attention_loss,
    reduce_mask,
)
from sod_plugins.ops.window import Window


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def side(level, logits, context=None, attention=None):
    """What a decoder with this context makes."""
    decoder = SimpleNamespace(level=level, context=context)
    return decoder, Decoded(logits, logits, None, None, attention)


def losses_of(sides, mask, **arguments):
    decoders, outputs = zip(*sides, strict=True)
    return picanet_losses(decoders, outputs, mask, **arguments)


def naive_divergence(target, attention):
    return sum(t * math.log(t / (a + 1e-6) + 1e-6) for t, a in zip(target, attention, strict=True))


def test_masks_are_reduced_with_aligned_corners():
    mask = torch.rand(1, 1, 28, 28)
    labels, counted = reduce_mask(mask, (10, 10))
    assert torch.equal(labels, (mask[:, :, ::3, ::3] > 0.5).float())  # the grid of GAP
    assert counted.all()
    labels, _ = reduce_mask(mask, (28, 28))
    assert torch.equal(labels, (mask > 0.5).float())
    ramp = torch.linspace(0, 1, 9).expand(1, 1, 9, 9)
    labels, _ = reduce_mask(ramp, (4, 4))  # columns at 0, 1/3, 2/3 and 1
    assert labels[0, 0, 0].tolist() == [0, 0, 1, 1]


def test_pixels_of_255_do_not_count():
    mask = torch.ones(1, 1, 8, 8)
    mask[..., 5:] = 255
    _, counted = reduce_mask(mask, (8, 8), 255)
    assert torch.equal(counted, (mask == 1).float())
    labels, counted = reduce_mask(mask, (4, 4), 255)  # columns at 0, 7/3, 14/3 and 7
    assert counted[0, 0, 0].tolist() == [1, 1, 0, 0]
    assert labels[0, 0, 0].tolist() == [1, 1, 0, 0]
    logits = torch.randn(1, 1, 8, 8, requires_grad=True)
    loss = losses_of([side(1, logits)], mask, ignore_value=255)['loss_d1']
    loss.backward()
    assert not logits.grad[..., 5:].any()
    # Of ones, the mean over the others.
    expected = (1 + (-logits[..., :5]).exp()).log().mean()
    torch.testing.assert_close(loss, expected)


def test_deep_supervision_weighs_the_levels():
    mask = torch.rand(2, 1, 16, 16)
    sizes = {6: 4, 5: 4, 4: 4, 3: 8, 2: 8, 1: 16}
    outputs = [side(level, torch.randn(2, 1, s, s)) for level, s in sizes.items()]
    losses = losses_of(outputs, mask)
    assert list(losses) == [f'loss_d{level}' for level in sizes]
    for (decoder, output), weight in zip(outputs, (0.5, 0.5, 0.5, 0.8, 0.8, 1), strict=True):
        labels = reduce_mask(mask, output.logits.shape[2:])[0].flatten().tolist()
        chances = output.logits.sigmoid().double().flatten().tolist()
        entropy = [-math.log(c if g else 1 - c) for g, c in zip(labels, chances, strict=True)]
        expected = weight * sum(entropy) / len(entropy)
        assert losses[f'loss_d{decoder.level}'].item() == pytest.approx(expected, rel=1e-5)


def test_global_attention_is_told_to_look_at_the_other_side():
    attention = torch.randn(2, 9, 3, 4, dtype=torch.float64).softmax(1)
    labels = (torch.rand(2, 1, 3, 4) > 0.5).double()
    grid = (torch.rand(2, 1, 3, 3) > 0.5).double()
    terms = []
    for n, row, column in torch.cartesian_prod(*map(torch.arange, (2, 3, 4))).tolist():
        g = grid[n].flatten().tolist()
        if labels[n, 0, row, column] == 1:
            g = [1 - x for x in g]
        target = [x / (sum(g) + 1e-6) for x in g]
        terms.append(naive_divergence(target, attention[n, :, row, column].tolist()))
    loss = global_attention_loss(attention, labels, grid)
    assert loss.item() == pytest.approx(sum(terms) / 24, rel=1e-12)
    assert len(terms) == 24


def test_global_attention_is_not_told_to_look_at_what_does_not_count():
    mask = torch.zeros(1, 1, 8, 8)
    mask[..., :2] = 1
    mask[..., 4:] = 255  # of four columns of samples one is foreground, one background
    gap = GlobalAttentionPooling(2, 4, 2, hidden_channels=2)
    wanted = torch.zeros(1, 4, 4, 8, 8)  # by row and column of the sample
    wanted[:, :, 1, :, :2] = 0.25
    wanted[:, :, 0, :, 2:] = 0.25
    output = side(1, torch.zeros(1, 1, 8, 8), gap, wanted.flatten(1, 2))
    loss = losses_of([output], mask, ignore_value=255)['loss_global_attention']
    assert loss.item() == pytest.approx(0, abs=1e-4)


def test_global_attention_loss_in_closed_form():
    """Even attention over 100 samples, 25 of them foreground."""
    grid = torch.zeros(1, 1, 10, 10, dtype=torch.float64)
    grid[..., :5, :5] = 1
    even = torch.full((1, 100, 28, 28), 0.01, dtype=torch.float64)
    labels = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    # Background pixels: 25 samples of 1/25 against 1/100; foreground: 75 of 1/75.
    loss = global_attention_loss(even, labels, grid)
    assert loss.item() == pytest.approx(math.log(4), rel=1e-3)
    loss = global_attention_loss(even, labels + 1, grid)
    assert loss.item() == pytest.approx(math.log(4 / 3), rel=1e-3)
    right = (grid / 25).flatten(1)[:, :, None, None].expand(1, 100, 28, 28)
    assert global_attention_loss(right, labels, grid).item() == pytest.approx(0, abs=1e-4)
    # Without foreground there is nothing to look at.
    assert global_attention_loss(even, labels, torch.zeros_like(grid)).item() == 0


@pytest.mark.parametrize('gates', [False, True])
def test_local_attention_is_told_to_look_at_its_own_side(gates):
    window = Window.of(3, 2, 1, None)
    logits = torch.randn(2, 9, 4, 5, dtype=torch.float64)
    attention = logits.sigmoid() if gates else logits.softmax(1)
    labels = (torch.rand(2, 1, 4, 5) > 0.5).double()
    terms = []
    for n, row, column in torch.cartesian_prod(*map(torch.arange, (2, 4, 5))).tolist():
        same = []
        for k in range(9):
            r, c = row + 2 * (k // 3) - 2, column + 2 * (k % 3) - 2
            inside = 0 <= r < 4 and 0 <= c < 5
            same.append(float(inside and labels[n, 0, r, c] == labels[n, 0, row, column]))
        weights = attention[n, :, row, column]
        target = [x / (sum(same) + 1e-6) for x in same]
        terms.append(naive_divergence(target, (weights / weights.sum()).tolist()))
    loss = local_attention_loss(attention, labels, window)
    assert loss.item() == pytest.approx(sum(terms) / 40, rel=1e-12)


def test_attention_losses_of_a_network_s_outputs():
    mask = (torch.rand(2, 1, 14, 14) > 0.5).float()
    gap = GlobalAttentionPooling(2, 4, hidden_channels=2)
    conv = AttentionConv(2, 2, 3, hidden_channels=2)
    logits, x = torch.randn(2, 1, 7, 7), torch.randn(2, 2, 7, 7)
    outputs = [
        side(3, logits, gap, gap.attention(x)),
        side(2, logits, gap, gap.attention(x)),
        side(1, logits, conv, conv.attention(x)),
    ]
    labels, counted = reduce_mask(mask, (7, 7))
    one = global_attention_loss(outputs[0][1].attention, labels, labels[:, :, ::2, ::2])
    losses = losses_of(outputs, mask)
    assert list(losses) == ['loss_d3', 'loss_d2', 'loss_d1', 'loss_global_attention']
    torch.testing.assert_close(losses['loss_global_attention'], 0.4 * one)
    losses = losses_of(
        outputs, mask, global_attention_weight=0, local_attention_weight=3, level_weights=(1, 2, 3)
    )
    assert list(losses) == ['loss_d3', 'loss_d2', 'loss_d1', 'loss_local_attention']
    local = local_attention_loss(outputs[2][1].attention, labels, conv.window, counted)
    torch.testing.assert_close(losses['loss_local_attention'], 3 * local)
    torch.testing.assert_close(losses['loss_d3'], 3 * losses['loss_d1'])


@pytest.mark.parametrize(
    ('mask', 'weights', 'message'),
    [
        (torch.zeros(2, 1, 8, 8), (1,), r'level_weights needs 2 entries'),
        (torch.zeros(2, 8, 8), (1, 1), r'The masks must be \(2, 1, H, W\), got \(2, 8, 8\)'),
    ],
)
def test_refuses_what_does_not_fit(mask, weights, message):
    with pytest.raises(ValueError, match=message):
        losses_of([side(2, torch.randn(2, 1, 4, 4))], mask, level_weights=weights)
