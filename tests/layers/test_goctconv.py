from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from reference_values import settle_statistics
from torch import nn

from sod_plugins.layers import GOctConv, GOctConvNormAct, ILBlock, ParallelDilatedConv


def maps(channels, size=(16, 16)):
    return [
        torch.randn(2, c, size[0] // 2**s, size[1] // 2**s) if c else None
        for s, c in enumerate(channels)
    ]


def test_weight_of_every_instance():
    assert GOctConv((3, 5), (4, 2), 3).weight.shape == (6, 8, 3, 3)
    assert GOctConv((3, 5), (3, 5), 3, cross_scale=False).weight.shape == (8, 1, 3, 3)
    assert GOctConv((2, 4, 4), (7,), 1).weight.shape == (7, 10, 1, 1)


def test_weight_scale_multiplies_the_output():
    x = [m.double() for m in maps((3, 5))]
    conv = GOctConv((3, 5), (3, 5), 3, cross_scale=False).double()
    plain = conv(x)
    conv.weight_scale = 100.0
    for y, scaled in zip(plain, conv(x), strict=True):
        torch.testing.assert_close(scaled, 100 * y)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (((0, 0), (3,), 1), 'channels on both sides'),
        (((3,), (0,), 1), 'channels on both sides'),
        (((3,), (3,), 1, {'stride': 3}), 'stride must be one of 1, 2, got 3'),
        (((3,), (3,), 1, {'coarsening': 'mean'}), 'coarsening'),
        (((3,), (4,), 3, {'cross_scale': False}), 'must equal'),
    ],
)
def test_refuses_what_is_no_octave_convolution(arguments, message):
    *positional, options = arguments if isinstance(arguments[-1], dict) else (*arguments, {})
    with pytest.raises(ValueError, match=message):
        GOctConv(*positional, **options)


def test_refuses_another_number_of_maps():
    with pytest.raises(ValueError, match='2 input scales, got 1 maps'):
        GOctConv((3, 5), (4,), 1)(maps((3,)))


def test_norm_and_activation_belong_to_their_scale():
    block = GOctConvNormAct((2, 3), (3, 2), 1)
    with torch.no_grad():
        for scale in range(2):
            block.norms[scale].weight.uniform_(0.5, 2)
            block.norms[scale].bias.uniform_(-1, 1)
            block.acts[scale].weight.uniform_(-0.5, 0.5)
    x = maps((2, 3))
    for scale, (before, after) in enumerate(zip(block.conv(x), block(x), strict=True)):
        gamma, beta = block.norms[scale].weight, block.norms[scale].bias
        mean = before.mean((0, 2, 3), keepdim=True)
        variance = before.var((0, 2, 3), unbiased=False, keepdim=True)
        normal = (before - mean) / (variance + 1e-5).sqrt()
        affine = normal * gamma.view(1, -1, 1, 1) + beta.view(1, -1, 1, 1)
        slope = block.acts[scale].weight.view(1, -1, 1, 1)
        expected = torch.where(affine > 0, affine, slope * affine)
        torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-5)


def test_empty_scale_stays_empty():
    block = GOctConvNormAct((2, 3), (0, 4), 1)
    high, low = block(maps((2, 3)))
    assert high is None
    assert low.shape == (2, 4, 8, 8)
    assert isinstance(block.norms[0], nn.Identity)


@pytest.mark.parametrize('vanilla', [False, True])
def test_every_parameter_of_a_block_has_a_gradient(vanilla):
    block = ILBlock((4, 4), (6, 2), 3, stride=2, vanilla=vanilla)
    out = block(maps((4, 4)))
    assert [tuple(y.shape[1:]) for y in out] == [(6, 8, 8), (2, 4, 4)]
    sum((y**2).sum() for y in out).backward()
    for name, parameter in block.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_block_scales_plain_convolutions_only():
    block = ILBlock((4, 4), (6, 2))
    assert [c.conv.weight_scale for c in (block.conv1, block.conv2, block.conv3)] == [1, 100, 100]
    # One scale on both sides is a plain convolution, too.
    assert ILBlock((4,), (6,)).conv1.conv.weight_scale == 100


def test_dilated_group_concatenates_in_order():
    layer = ParallelDilatedConv(3, (1, 0, 2), dilations=(1, 2, 4), weight_scale=10.0)
    assert list(layer.convs) == ['1', '4']
    x = torch.randn(2, 3, 12, 10)
    settle_statistics(layer, x)
    branches = torch.cat(
        [
            F.conv2d(F.pad(x, (d, d, d, d)), 10 * layer.convs[str(d)].weight, dilation=d)
            for d in (1, 4)
        ],
        1,
    )
    torch.testing.assert_close(layer(x), layer.act(layer.norm(branches)))
    with pytest.raises(ValueError, match='a width per dilation'):
        ParallelDilatedConv(3, (1, 2))
