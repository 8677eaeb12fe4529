from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks.backbones import VGG

DEEPLAB = {
    'pool_size': 3,
    'pool_strides': (2, 2, 2, 1, 1),
    'dilations': (1, 1, 1, 1, 2),
    'fc_channels': 1024,
    'fc_dilation': 12,
    'out_indices': range(6),
}
# Weights and biases of torchvision's classifier, whose first layer sees 512 maps of 7x7.
CLASSIFIER = (512 * 49 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000


@pytest.mark.parametrize(
    ('depth', 'batch_norm', 'with_classifier'),
    [
        (11, False, 132_863_336),
        (13, False, 133_047_848),
        (16, False, 138_357_544),
        (19, False, 143_667_240),
        (11, True, 132_868_840),
        (13, True, 133_053_736),
        (16, True, 138_365_992),
        (19, True, 143_678_248),
    ],
)
def test_torchvision_s_parameter_counts(depth, batch_norm, with_classifier):
    with torch.device('meta'):
        network = VGG(depth, batch_norm)
    assert count_parameters(network) == with_classifier - CLASSIFIER


def test_torchvision_s_names():
    convolutions = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
    expected = {f'features.{i}.{name}' for i in convolutions for name in ('weight', 'bias')}
    assert set(VGG(width=0.1).state_dict()) == expected


@pytest.mark.parametrize(('depth', 'batch_norm'), [(11, False), (16, True)])
def test_maps_are_those_of_mmcv_before_its_pooling(depth, batch_norm):
    cnn = pytest.importorskip('mmcv.cnn', reason='needs mmcv')
    torch.manual_seed(0)
    reference = cnn.VGG(depth, with_bn=batch_norm, out_indices=range(5), with_last_pool=True)
    network = VGG(depth, batch_norm)
    network.load_state_dict(reference.state_dict())
    reference.eval()  # returns nothing
    images = torch.randn(1, 3, 37, 45)
    with torch.no_grad():
        pairs = list(zip(network.eval()(images), reference(images), strict=True))
    for actual, pooled in pairs:
        torch.testing.assert_close(F.max_pool2d(actual, 2), pooled, rtol=0, atol=0)


def test_deeplab_s_form_has_its_parameters_and_sizes():
    network = VGG(**DEEPLAB).eval()
    assert count_parameters(network) == 14_714_688 + 4_719_616 + 1_049_600
    assert network.out_channels == (64, 128, 256, 512, 512, 1024)
    assert network.out_strides == (1, 2, 4, 8, 8, 8)
    with torch.no_grad():
        sizes = [m.shape[-2:] for m in network(torch.zeros(1, 3, 32, 33))]
    assert sizes == [(32, 33), (16, 16), (8, 8), (4, 4), (4, 4), (4, 4)]


def test_deeplab_s_form_computes_what_its_table_says():
    torch.manual_seed(0)
    arguments = {**DEEPLAB, 'width': 0.05, 'fc_channels': 7}
    network = VGG(**arguments).double().eval()
    images = torch.randn(1, 3, 40, 48, dtype=torch.float64)
    state = network.state_dict()
    layers = iter((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))

    def pool(x, stride):
        # Incomplete windows at the border count; a padded pixel never wins.
        rows = x.shape[-2] if stride == 1 else math.ceil((x.shape[-2] - 1) / 2)
        columns = x.shape[-1] if stride == 1 else math.ceil((x.shape[-1] - 1) / 2)
        first = -1 if stride == 1 else 0
        out = x.new_empty(*x.shape[:2], rows, columns)
        for i in range(rows):
            for j in range(columns):
                top, left = stride * i + first, stride * j + first
                window = x[..., max(top, 0) : top + 3, max(left, 0) : left + 3]
                out[..., i, j] = window.amax((-2, -1))
        return out

    x, expected = images, []
    for convolutions, stride, dilation in zip(
        (2, 2, 3, 3, 3), (None, 2, 2, 2, 1), (1, 1, 1, 1, 2), strict=True
    ):
        x = x if stride is None else pool(x, stride)
        for _ in range(convolutions):
            name = f'features.{next(layers)}'
            weight, bias = state[f'{name}.weight'], state[f'{name}.bias']
            x = F.conv2d(x, weight, bias, 1, dilation, dilation).relu()
        expected.append(x)
    x = F.conv2d(pool(x, 1), state['fc6.weight'], state['fc6.bias'], 1, 12, 12).relu()
    expected.append(F.conv2d(x, state['fc7.weight'], state['fc7.bias']).relu())
    for actual, reference in zip(network(images), expected, strict=True):
        torch.testing.assert_close(actual, reference)


def test_maps_before_the_activation():
    torch.manual_seed(0)
    arguments = {'width': 0.1, 'batch_norm': True, 'fc_channels': 4, 'out_indices': range(6)}
    after, before = VGG(**arguments).eval(), VGG(**arguments, pre_activation=True).eval()
    before.load_state_dict(after.state_dict())
    images = torch.randn(1, 3, 32, 32)
    *rectified, fc7 = after(images)
    *raw, same_fc7 = before(images)
    for actual, reference in zip(raw, rectified, strict=True):
        assert actual.min() < 0
        torch.testing.assert_close(actual.relu(), reference, rtol=0, atol=0)
    torch.testing.assert_close(fc7, same_fc7, rtol=0, atol=0)


@pytest.mark.parametrize(
    ('out_indices', 'smallest'), [((0,), 1), ((0, 2), 4), ((0, 1, 2, 3, 4), 16)]
)
@pytest.mark.parametrize('pool_size', [2, 3])
def test_smallest_input(out_indices, smallest, pool_size):
    network = VGG(width=0.1, out_indices=out_indices, pool_size=pool_size)
    assert network(torch.zeros(1, 3, smallest, 20))[-1].shape[-2] == 1
    with pytest.raises(ValueError, match=f'VGG needs images of at least {smallest}x{smallest}'):
        network(torch.zeros(1, 3, smallest - 1, 20))


def test_fresh_weights_keep_the_scale_of_the_signal():
    torch.manual_seed(0)
    network = VGG()
    for conv in (m for m in network.modules() if isinstance(m, nn.Conv2d)):
        expected = math.sqrt(2 / (9 * conv.out_channels))
        # Standard error of a standard deviation is 1 / sqrt(2 n) of it; five of them.
        error = 5 / math.sqrt(2 * conv.weight.numel())
        assert conv.weight.std().item() == pytest.approx(expected, rel=error)
        assert not conv.bias.any()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'depth': 12}, 'depth must be one of 11, 13, 16, 19, got 12'),
        ({'pool_size': 4}, 'pool_size must be one of 2, 3, got 4'),
        ({'pool_strides': (2, 2)}, r'pool_strides needs 5 entries, one per stage, got \(2, 2\)'),
        ({'pool_strides': (2, 2, 2, 3, 1)}, 'pool_strides must be 1 or 2'),
        ({'dilations': (1,)}, 'dilations needs 5 entries'),
        ({'out_indices': (0, 5)}, r'out_indices needs stages from 0 to 4, got \(0, 5\)'),
        ({'out_indices': ()}, 'out_indices needs stages from 0 to 4'),
    ],
)
def test_refuses_what_is_no_network(arguments, message):
    with pytest.raises(ValueError, match=message):
        VGG(**arguments)
