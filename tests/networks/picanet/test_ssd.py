from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics
from torch import nn
from torch.nn import functional as F

from sod_plugins.networks import PiCANetSSDNeck
from sod_plugins.networks.picanet.ssd import SETTINGS

NARROW = dict(in_channels=(4, 6), extra_channels=(8, 6, 4, 4), hidden_channels=5, renet_channels=3)


def narrow(setting, **arguments):
    """A neck of few channels in float64, with settled statistics and positive biases."""
    torch.manual_seed(0)
    neck = PiCANetSSDNeck(**{**NARROW, 'setting': setting, **arguments}).double()
    for name, parameter in neck.named_parameters():
        if name.endswith('bias'):
            nn.init.uniform_(parameter)  # positive, so that no ReLU leaves a map empty
    settle_statistics(neck, maps())
    return neck


def maps(batch=2, size=19, channels=(4, 6)):
    generator = torch.Generator().manual_seed(1)
    return [
        torch.rand(batch, c, s, s, generator=generator, dtype=torch.float64)
        for c, s in zip(channels, (2 * size, size), strict=True)
    ]


def parts(neck, name):
    """The modules of a kind, in their order."""
    return [module for module in neck.modules() if type(module).__name__ == name]


def pooled_locally(module, x):
    """LAP by its definition: a sum over 49 copies of the map."""
    columns = F.unfold(x, 7, dilation=2, padding=6).unflatten(1, (x.shape[1], 49))
    return torch.einsum('nckp,nkp->ncp', columns, module.attention(x).flatten(2)).view_as(x)


def pooled_globally(module, x):
    """GAP whose grid is the map: every pixel averages all pixels."""
    weights = module.attention(x)
    assert weights.shape[1] == x.shape[2] * x.shape[3]
    return torch.einsum('nkyx,nck->ncyx', weights, x.flatten(2))


def gated_conv(module, x, kernel, dilation, stride):
    """AC by its definition."""
    gates = module.attention(x)
    padding = dilation * (kernel - 1) // 2
    columns = F.unfold(x, kernel, dilation, padding, stride).unflatten(1, (x.shape[1], kernel**2))
    gated = columns * gates.flatten(2)[:, None]
    out = torch.einsum('ockl,nckp->nop', module.conv.weight.flatten(2)[..., None], gated)
    return out.view(len(x), -1, *gates.shape[2:]) + module.conv.bias[:, None, None]


def plain_conv(conv, x, padding=0, stride=1, dilation=1):
    return F.conv2d(x, conv.weight, conv.bias, stride, padding, dilation)


def straightforward(
    neck, setting, fine, coarse, *, levels=(9, 10), window=(7, 2), feed=False, behind=False
):
    """Tab. 4's settings, written down level by level from the paper's text."""
    local, overall = SETTINGS[setting]
    locals_ = iter(
        parts(neck, {'LAP': 'LocalAttentionPooling', 'AC': 'AttentionConv'}.get(local, ''))
    )
    overalls = iter(parts(neck, {'GAP': 'GlobalAttentionPooling', 'ReNet': 'ReNet'}[overall]))
    inside = {id(m.conv) for m in parts(neck, 'AttentionConv')}
    larges = iter([m for m in parts(neck, 'LargeConv') if id(m) not in inside])

    def normalised(x):
        return neck.l2_norm.weight[:, None, None] * x / x.pow(2).sum(1, keepdim=True).sqrt()

    def attended(x, kernel=7, dilation=2, stride=1):
        if local == 'LAP':
            return torch.cat((x, pooled_locally(next(locals_), x)), 1)
        if local == 'AC':
            return gated_conv(next(locals_), x, kernel, dilation, stride).relu()
        padding = dilation * (kernel - 1) // 2
        return plain_conv(next(larges), x, padding, stride, dilation).relu()

    outs = [normalised(attended(fine)) if behind else attended(normalised(fine)), attended(coarse)]
    x = outs[1] if feed else coarse
    for index, (level, stride) in enumerate(zip((8, 9, 10, 11), (2, 2, 1, 1), strict=True)):
        convs = [m for m in neck.extra_layers[index] if type(m) is nn.Conv2d]
        x = plain_conv(convs[0], x).relu()
        if level == 8 and local != 'LAP':
            x = attended(x, *window, stride)
        else:
            if level == 8:
                x = attended(x)
            elif level in levels:
                module = next(overalls)
                context = module(x) if overall == 'ReNet' else pooled_globally(module, x)
                x = torch.cat((x, context), 1)
            x = plain_conv(convs[-1], x, padding=stride - 1, stride=stride).relu()
        outs.append(x)
    assert next(overalls, None) is next(locals_, None) is next(larges, None) is None
    return outs


@pytest.mark.parametrize(
    ('setting', 'arguments', 'words'),
    [
        ('478LC_910ReNet', {}, {}),
        ('478AC_910GAP', {}, {}),
        ('478LAP_910GAP', {}, {}),
        ('478LAP_910GAP', {'global_levels': (10, 11)}, {'levels': (10, 11)}),
        ('478AC_910GAP', {'conv8_window': (3, 1)}, {'window': (3, 1)}),
        ('478LAP_910GAP', {'feed_attended': True}, {'feed': True}),
        ('478LAP_910GAP', {'norm_attended': True}, {'behind': True}),
        ('478AC_910GAP', {'ac_channels': (7, 5), 'norm_attended': True}, {'behind': True}),
    ],
)
@torch.no_grad()
def test_settings_are_those_of_the_paper(setting, arguments, words):
    neck, (fine, coarse) = narrow(setting, **arguments), maps()
    outs = neck((fine, coarse))
    expected = straightforward(neck, setting, fine, coarse, **words)
    assert [out.shape[1] for out in outs] == list(neck.out_channels)
    assert [out.shape[2:] for out in outs] == [(n, n) for n in (38, 19, 10, 5, 3, 1)]
    for out, value in zip(outs, expected, strict=True):
        assert out.abs().max() > 1e-3
        torch.testing.assert_close(out, value, rtol=1e-9, atol=1e-12)  # float64, other orders


@pytest.mark.parametrize(
    ('setting', 'first', 'parameters'),
    [
        # Conv8 to Conv11, 1x1 and 3x3 convolutions with biases, and 512 scales
        ('SSD', (512, 1024), 262400 + 1180160 + 65664 + 295168 + 2 * (32896 + 295168) + 512),
        ('478LC_910ReNet', (512, 1024), None),
        ('478AC_910GAP', (512, 1024), None),
        ('478LAP_910GAP', (1024, 2048), None),
    ],
)
def test_maps_of_ssd300(setting, first, parameters):
    with torch.device('meta'):
        neck = PiCANetSSDNeck(setting=setting).eval()
        outs = neck((torch.empty(1, 512, 38, 38), torch.empty(1, 1024, 19, 19)))
    channels = (*first, 512, 256, 256, 256)
    sizes = (38, 19, 10, 5, 3, 1)
    assert [out.shape[1:] for out in outs] == [
        (c, n, n) for c, n in zip(channels, sizes, strict=True)
    ]
    assert neck.out_channels == channels
    if parameters:
        assert sum(p.numel() for p in neck.parameters()) == parameters


def test_grids_are_the_maps():
    def samples(**arguments):
        neck = narrow('478LAP_910GAP', **arguments)
        return [gap.kernel_size for gap in parts(neck, 'GlobalAttentionPooling')]

    assert samples() == [(10, 10), (5, 5)]
    assert samples(global_levels=(10, 11)) == [(5, 5), (3, 3)]
    # Strides 16 and 32 of a backbone, 300x300: maps of 19 and 10, then 5, 3, 2, 1.
    deeper = PiCANetSSDNeck(**NARROW, map_size=10, extra_strides=(2, 2, 2, 2))
    assert [gap.kernel_size[0] for gap in parts(deeper, 'GlobalAttentionPooling')] == [5, 3]
    outs = deeper([m.float() for m in maps(size=10)])
    assert [out.shape[-1] for out in outs] == [20, 10, 5, 3, 2, 1]


@pytest.mark.parametrize('norm', [None, nn.BatchNorm2d])
@pytest.mark.parametrize('setting', SETTINGS)
def test_every_parameter_receives_a_finite_gradient(setting, norm):
    torch.manual_seed(0)
    neck = PiCANetSSDNeck(**NARROW, setting=setting, norm_layer=norm).train()
    fine, coarse = (m.float() for m in maps(batch=3))
    fine[:, :, 5, 7] = 0  # behind a ReLU a pixel may have nothing, and no length either
    sum((out * torch.randn_like(out)).sum() for out in neck((fine, coarse))).backward()
    without = [
        name
        for name, p in neck.named_parameters()
        if p.grad is None or not p.grad.isfinite().all() or not p.grad.any()
    ]
    assert without == []


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'setting': '478LAP'}, "setting must be one of .* got '478LAP'"),
        ({'in_channels': (4, 6, 8)}, 'in_channels needs 2 entries'),
        ({'ac_channels': (4,)}, 'ac_channels needs 2 entries'),
        ({'global_levels': (8, 9)}, r'global_levels must be among \[9, 10, 11\]'),
        ({'extra_strides': (2, 2, 1)}, 'one entry per layer'),
        ({'extra_strides': (2, 2, 3, 1)}, 'the strides 1 or 2'),
        ({'map_size': 12}, r'leave nothing of a map_size of \(12, 12\)'),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiCANetSSDNeck(**{**NARROW, **arguments})
