from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sod_plugins.cli import main as sod
from sod_plugins.inference import save_attention, view_attention
from sod_plugins.layers.picanet import (
    AttentionConv,
    GlobalAttentionPooling,
    LocalAttentionPooling,
)
from sod_plugins.networks import CSNet, PiCANet, Preprocessing, save_network

PIXELS = [(0, 0), (50, 33), (71, 47)]  # the last one is the photo's last
BACKBONE = {'type': 'VGG', 'depth': 11, 'width': 0.125, 'out_indices': (1, 2, 3)}


def build(setting='3GAP_2LAP_1AC'):
    """Maps at strides 2, 4 and 8 of inputs of 64x48; each pixel with weights of its own."""
    torch.manual_seed(0)
    network = PiCANet(
        setting,
        BACKBONE,
        gap_kernel_size=3,
        local_kernel_size=3,
        renet_channels=4,
        attention_channels=4,
        init_std=None,
    )
    network.preprocessing = Preprocessing((64, 48))
    return network.eval()


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (48, 72, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    'module',
    [
        GlobalAttentionPooling(1, 3, hidden_channels=2),
        GlobalAttentionPooling(1, (2, 3), dilation=(5, 2), hidden_channels=2),
        LocalAttentionPooling(1, 3, 2),
        LocalAttentionPooling(1, 3, 2, stride=2),
        AttentionConv(1, 1, (3, 5), 1, bias=False),
    ],
    ids=['spanning grid', 'fixed grid', 'window', 'strided window', 'gated window'],
)
@torch.no_grad()
def test_weights_reach_what_they_weigh(module):
    """On a map whose value says where it is, all weight on one sample gives that place."""
    height, width = 7, 11
    rows = torch.arange(1.0, height + 1)[:, None]
    place = (rows + 100 * torch.arange(1.0, width + 1))[None, None]
    if isinstance(module, AttentionConv):
        module.conv.weight.fill_(1)
    weights = torch.zeros_like(module.attention(place))
    for pixel in [(0, 0), (2, 3), (weights.shape[2] - 1, weights.shape[3] - 1)]:
        ys, xs = module.reach(pixel, (height, width))
        for k in range(weights.shape[1]):
            y, x = ys[k // len(xs)], xs[k % len(xs)]
            inside = 0 <= y < height and 0 <= x < width
            weights.zero_()[0, k, pixel[0], pixel[1]] = 1
            found = module.attend(place, weights)[0, 0, pixel[0], pixel[1]].item()
            assert found == pytest.approx(y + 1 + 100 * (x + 1) if inside else 0, rel=1e-5)


def test_weights_and_places_make_the_attended_features(photo):
    """Averages of channels are averaged as channels are: the numbers alone must reproduce them."""
    saliency, decoders = view_attention(build(), photo, PIXELS, 'cpu')
    assert [(d.level, d.kind) for d in decoders] == [(3, 'GAP'), (2, 'LAP'), (1, 'AC')]
    assert saliency.shape == (48, 72)
    for decoder, stride in zip(decoders, (8, 4, 2), strict=True):
        assert decoder.features.shape == decoder.attended.shape == (64 // stride, 48 // stride)
        assert decoder.weights.shape == (3, 3, 3)
        if decoder.kind == 'AC':
            assert ((decoder.weights > 0) & (decoder.weights < 1)).all()
            continue
        np.testing.assert_allclose(decoder.weights.sum((1, 2)), 1, rtol=1e-5)
        # In the photo a map's row is 48 / 64 strides high, and its column 72 / 48 strides wide.
        height, width = 0.75 * stride, 1.5 * stride
        for (x, y), weights, rows, columns in zip(
            PIXELS, decoder.weights, decoder.rows, decoder.columns, strict=True
        ):
            samples = [
                [
                    value(decoder.features, (r + 0.5) / height - 0.5, (c + 0.5) / width - 0.5)
                    for c in columns
                ]
                for r in rows
            ]
            expected = decoder.attended[int(y / height), int(x / width)]
            assert (weights * samples).sum() == pytest.approx(expected, rel=1e-4)


def value(features, row, column):
    """Features (H, W) between pixels, bilinearly; zero outside."""
    height, width = features.shape
    if not (-1e-6 <= row <= height - 1 + 1e-6 and -1e-6 <= column <= width - 1 + 1e-6):
        return 0.0
    i, j = np.arange(height), np.arange(width)
    down, right = (np.clip(1 - abs(axis - at), 0, None) for axis, at in ((i, row), (j, column)))
    return down @ features @ right


def test_the_command_draws_a_checkpoint(photo, tmp_path):
    pytest.importorskip('matplotlib')
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    save_network(tmp_path / 'picanet.pth', build())
    words = [tmp_path / 'photo.png', '--checkpoint', tmp_path / 'picanet.pth', '--device', 'cpu']
    words += ['--pixel', '10,20', '--pixel', '71,47', '-o', tmp_path / 'new' / 'view.png']
    assert sod(['attention', *map(str, words)]) == 0
    with Image.open(tmp_path / 'new' / 'view.png') as view:
        assert view.size[0] > 600
        assert len(view.convert('L').getcolors()) > 50


@pytest.mark.parametrize(
    ('pixel', 'network', 'message'),
    [
        (
            (72, 3),
            build(),
            'pixel 72,3 lies outside the photo of 72x48 pixels: x goes from 0 to 71',
        ),
        ((3, -1), build(), 'pixel 3,-1 lies outside'),
        ((3, 3), CSNet(), 'The network is a CSNet: only a PiCANet'),
        ((3, 3), build('U-Net'), "of setting 'U-Net', which has no attention"),
    ],
)
def test_what_cannot_be_looked_at_is_named(pixel, network, message, photo):
    with pytest.raises(ValueError, match=message):
        view_attention(network, photo, [pixel], 'cpu')


def test_the_file_of_another_method_is_named(photo, tmp_path, capsys):
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    save_network(tmp_path / 'csnet.pth', CSNet())
    words = [tmp_path / 'photo.png', '--checkpoint', tmp_path / 'csnet.pth', '--pixel', '1,2']
    assert sod(['attention', *map(str, words), '-o', str(tmp_path / 'view.png')]) == 2
    assert "csnet.pth' is a CSNet" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        sod(['attention', 'photo.png', '--checkpoint', 'p.pth', '--pixel', '1', '-o', 'o.png'])
    assert "'1' is not of the form X,Y" in capsys.readouterr().err


def test_without_matplotlib_nothing_is_computed(photo, tmp_path, monkeypatch):
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r'Figures need matplotlib.*\[report\]'):
        save_attention(tmp_path / 'view.png', tmp_path / 'absent.pth', photo, [(1, 1)])


@pytest.mark.parametrize('count', [0, 51])
def test_a_figure_has_few_rows_one_for_each_pixel(photo, tmp_path, count):
    with pytest.raises(ValueError, match=rf'^the number of pixels is {count}\. Give 1 to 50\.$'):
        save_attention(tmp_path / 'view.png', tmp_path / 'absent.pth', photo, [(1, 1)] * count)
