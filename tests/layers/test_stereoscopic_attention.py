from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.layers import StereoscopicAttention
from sod_plugins.layers.stereoscopic_attention import ChannelGate, SpatialGate

FORMS = [
    {'attention': 'none'},
    {'attention': 'none', 'dilations': ()},
    {'attention': 'channel'},
    {'attention': 'spatial', 'shared_spatial': False},
    {'attention': 'stereoscopic'},
    {'attention': 'stereoscopic', 'shared_spatial': False},
    {'attention': 'stereoscopic', 'dilations': (1, 2, 4, 8)},
]


def build(channels=16, **arguments):
    torch.manual_seed(0)
    module = StereoscopicAttention(channels, **arguments).double()
    with torch.no_grad():
        for norm in module.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.weight.uniform_(0.5, 1.5)
                norm.bias.uniform_(-0.5, 0.5)
                norm.running_mean.uniform_(-0.5, 0.5)
                norm.running_var.uniform_(0.5, 1.5)
    return module.eval()


def by_the_paper(sam, x):
    """Eq. 1 to 14, written with the module's convolutions but none of its other code."""
    first = sam.stem(x)
    f = torch.stack([first, *(branch(first) for branch in sam.branches)], 1)  # N, B, C, H, W
    total = f.sum(1)
    d = s = torch.ones(())
    if sam.channel_gate is not None:
        gate = sam.channel_gate
        z = total.mean((2, 3))
        norm, weight = gate.hidden.norm, gate.hidden.conv.weight.flatten(1)
        hidden = (z @ weight.T - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        hidden = (hidden * norm.weight + norm.bias).relu()
        d = (hidden @ gate.logits.weight.flatten(1).T).unflatten(1, (f.shape[1], -1))[
            ..., None, None
        ]
    if sam.spatial_gate is not None:
        s = sam.spatial_gate(total)[:, :, None]
    if sam.channel_gate is None and sam.spatial_gate is None:
        fused = total
    else:
        exponentials = (d * s).expand_as(f).exp()
        fused = (f * exponentials / exponentials.sum(1, keepdim=True)).sum(1)
    return x + sam.fuse.norm(sam.fuse.conv(fused))


@pytest.mark.parametrize('form', FORMS)
def test_every_form_is_that_of_the_paper(form):
    sam = build(**form)
    x = torch.randn(2, 16, 9, 11, dtype=torch.float64)
    torch.testing.assert_close(sam(x), by_the_paper(sam, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ('channels', 'dilations', 'shared', 'separate'),
    [
        (16, (1, 2, 3), 3_668, 3_668 + 3 * 4),
        (32, (1, 2, 3), 12_648, 12_648 + 3 * 8),
        (64, (1, 2, 3), 46_544, 46_544 + 3 * 16),
        (96, (1, 2, 3), 101_688, 101_688 + 3 * 24),
        (128, (1, 2), 143_648, 143_648 + 2 * 32),
    ],
)
def test_sizes(channels, dilations, shared, separate):
    """Published counts; a map per branch adds C / 4 weights for each branch but one."""
    for shared_spatial, expected in ((True, shared), (False, separate)):
        module = StereoscopicAttention(channels, dilations, shared_spatial=shared_spatial)
        assert sum(p.numel() for p in module.parameters()) == expected


@pytest.mark.parametrize('form', FORMS)
def test_every_parameter_gets_a_finite_gradient(form):
    sam = build(**form).train()
    x = torch.randn(3, 16, 8, 8, dtype=torch.float64, requires_grad=True)
    (sam(x) * torch.randn(3, 16, 8, 8)).sum().backward()
    idle = [n for n, p in sam.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert all(p.grad.isfinite().all() and p.grad.any() for p in (x, *sam.parameters()))


@pytest.mark.parametrize('rate', [1, 2, 3, 8])
def test_branches_see_as_far_as_their_dilation(rate):
    """F_1 of F_0 reaches 1 + rate pixels; the residual and the 1x1 convolutions reach nothing."""
    sam = build(dilations=(rate,), attention='none')
    x = torch.randn(1, 16, 25, 25, dtype=torch.float64, requires_grad=True)
    sam(x)[..., 12, 12].sum().backward()
    rows, columns = x.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    assert (rows - 12).abs().max() == (columns - 12).abs().max() == 1 + rate


def test_the_spatial_gate_sees_six_pixels_by_default():
    gate = SpatialGate(16, 1, (2, 4), 4).double().eval()
    x = torch.randn(1, 16, 21, 21, dtype=torch.float64, requires_grad=True)
    with torch.no_grad():
        for parameter in gate.parameters():
            parameter.abs_().add_(0.01)  # no ReLU is idle
    gate(x.abs())[..., 10, 10].sum().backward()
    rows, _ = x.grad.abs().sum((0, 1)).nonzero(as_tuple=True)
    assert (rows - 10).abs().max() == 2 + 4


def test_the_channel_gate_orders_its_logits_by_branch():
    gate = ChannelGate(4, 3).eval()
    with torch.no_grad():
        gate.logits.weight.zero_()
        gate.logits.weight[4:8] = 1  # the rows of the second branch
    d = gate(torch.rand(2, 4, 5, 5) + 1)
    assert d.shape == (2, 3, 4)
    assert not d[:, (0, 2)].any()


def test_half_precision_under_autocast_stays_close():
    sam = build().float()
    x = torch.randn(2, 16, 12, 12)
    exact = sam(x)
    with torch.autocast('cpu', torch.bfloat16):
        y = sam(x)
    # bfloat16 has 8 bits, and ten roundings follow each other
    torch.testing.assert_close(y.float(), exact, rtol=0, atol=0.05 * exact.abs().max().item())


def test_a_single_image_is_refused_in_training_only():
    x = torch.randn(1, 16, 6, 6, dtype=torch.float64)
    sam = build().train()
    with pytest.raises(ValueError, match='needs at least two images: train with a larger batch'):
        sam(x)
    for norm in sam.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.eval()
    assert sam(x).isfinite().all()
    assert build(attention='spatial', shared_spatial=False).train()(x).isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'attention': 'both'}, r"attention must be one of .*, got 'both'"),
        ({'attention': 'spatial'}, 'weighs all branches alike: pass shared_spatial=False'),
        ({'dilations': ()}, "needs no attention: pass attention='none'"),
        ({'channels': 3}, 'divides 3 channels by 4 and has none left'),
    ],
)
def test_what_is_no_module_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        StereoscopicAttention(**{'channels': 16, **arguments})
