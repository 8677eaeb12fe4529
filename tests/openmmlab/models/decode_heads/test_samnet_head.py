from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from reference_values import settle_statistics

from sod_plugins.checkpoints.old_formats import network_of_config
from sod_plugins.cli import main
from sod_plugins.networks import SAMNet, load_network

CONFIGS = Path(__file__).parents[4] / 'configs/samnet'
SMALL = {'width': 0.25, 'modules': (1, 1, 1, 1, 1)}
CHANNELS = (4, 8, 16, 24, 32)
NAMES = ['loss_bce', 'loss_bce_r5', 'loss_bce_r4', 'loss_bce_r3', 'loss_bce_r2']


def build(in_channels=(8, 12), **arguments):
    torch.manual_seed(0)
    return MODELS.build(dict(type='sod_plugins.SAMNetHead', in_channels=in_channels, **arguments))


@pytest.fixture
def small_config(model_config):
    """A SAMNet of a quarter of the width, with one module a stage."""
    model_config.backbone = {'type': 'sod_plugins.SAMNet', **SMALL}
    model_config.decode_head = {
        'type': 'sod_plugins.SAMNetHead',
        'in_channels': CHANNELS,
        'dropout': 0.0,
    }
    return model_config


def test_global_context_travels_to_the_plain_network(model_config, labelled):
    backbone = {'type': 'sod_plugins.SAMNet', **SMALL}
    head = {'type': 'sod_plugins.SAMNetHead', 'in_channels': CHANNELS, 'global_context': 5}
    cls, arguments = network_of_config({'type': '', 'backbone': backbone, 'decode_head': head})
    network = cls(**arguments)
    decoder = build(CHANNELS, global_context=5)
    weights = {name: w.shape for name, w in decoder.net.state_dict().items()}
    assert {n: w.shape for n, w in network.decode_head.state_dict().items()} == weights
    assert any(name.startswith('context.') for name in weights)
    assert not any(name.startswith('context.') for name in build(CHANNELS).net.state_dict())


def cross_entropy(logits, mask, upsampling):
    """Binary cross-entropy per pixel by its definition, in double precision."""

    def resize(x):
        return F.interpolate(x, mask.shape[-2:], mode='bilinear', align_corners=True)

    logits = logits.double()
    p = resize(logits.sigmoid()) if upsampling == 'saliency' else resize(logits).sigmoid()
    return -(mask * p.log() + (1 - mask) * (1 - p).log())


@pytest.mark.parametrize('upsampling', ['saliency', 'logits'])
@pytest.mark.parametrize('weight', [0.4, 1.5])
def test_every_level_has_its_loss(labelled, upsampling, weight):
    masks = torch.rand(2, 33, 47)
    maps = [torch.randn(2, 1, s, s + 4) for s in (16, 1, 2, 4, 8)]
    head = build(CHANNELS, upsampling=upsampling, side_loss_weight=weight)
    losses = head.loss_by_feat(maps, [labelled(mask) for mask in masks])
    assert list(losses) == NAMES
    for position, (logits, loss) in enumerate(zip(maps, losses.values(), strict=True)):
        expected = cross_entropy(logits, masks[:, None].double(), upsampling).mean()
        # float32 sums over 3,102 pixels
        torch.testing.assert_close(
            loss.double(), (weight if position else 1) * expected, rtol=1e-5, atol=0
        )


def test_the_default_weight_is_the_paper_s(labelled):
    maps, samples = [torch.zeros(1, 1, 4, 4)] * 2, [labelled(torch.rand(8, 8))]
    main, side = build().loss_by_feat(maps, samples).values()
    assert (side / main).item() == pytest.approx(0.4)


def test_padding_of_the_mask_does_not_count(labelled):
    mask = torch.rand(20, 20)
    padded = F.pad(mask, (0, 12, 0, 5), value=255)
    maps = [torch.randn(1, 1, 25, 32), torch.randn(1, 1, 25, 32)]
    losses = build().loss_by_feat(maps, [labelled(padded)])
    assert list(losses) == ['loss_bce', 'loss_bce_r2']
    for logits, loss, weight in zip(maps, losses.values(), (1, 0.4), strict=True):
        expected = cross_entropy(logits[..., :20, :20], mask[None, None].double(), 'logits').mean()
        torch.testing.assert_close(loss.double(), weight * expected, rtol=1e-5, atol=0)


def test_a_config_replaces_the_loss_of_every_level(labelled):
    entropy = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    terms = [
        entropy | {'loss_weight': w, 'loss_name': n} for w, n in ((2, 'loss_a'), (3, 'loss_b'))
    ]
    maps, samples = [torch.randn(1, 1, 9, 9)] * 2, [labelled(torch.rand(9, 9))]
    main, side = build().loss_by_feat(maps, samples).values()
    losses = build(loss_decode=terms).loss_by_feat(maps, samples)
    expected = {
        'loss_a': 2 * main,
        'loss_b': 3 * main,
        'loss_a_r2': 2 * side,
        'loss_b_r2': 3 * side,
    }
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, expected[name])


@pytest.mark.parametrize('kind', ['sod_plugins.SaliencySegmentor', 'mmseg.EncoderDecoder'])
@pytest.mark.parametrize('upsampling', ['saliency', 'logits'])
@torch.no_grad()
def test_logits_are_those_of_the_plain_network(kind, upsampling, small_config):
    torch.manual_seed(0)
    plain = SAMNet(backbone={'type': 'SAMNet', **SMALL}, upsampling=upsampling)
    settle_statistics(plain, torch.randn(4, 3, 64, 64))
    small_config.type = kind
    small_config.decode_head.upsampling = upsampling
    model = MODELS.build(small_config).eval()
    model.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 37, 51)
    metas = [{'img_shape': (37, 51), 'ori_shape': (37, 51)}] * 2
    logits = model.encode_decode(images, metas)
    torch.testing.assert_close(logits, plain(images), rtol=0, atol=1e-6)
    padded = [{'img_shape': (30, 40), 'pad_shape': (37, 51)}] * 2
    assert torch.equal(model.encode_decode(images, padded), logits)
    assert model(images, mode='tensor').shape == (2, 1, 19, 26)
    # Slide inference: one window that covers the image, and smaller ones.
    model.test_cfg = ConfigDict(crop_size=(37, 51), stride=(37, 51))
    torch.testing.assert_close(model.slide_inference(images, metas), logits, rtol=0, atol=1e-6)
    model.test_cfg = ConfigDict(crop_size=(32, 32), stride=(5, 19))
    windows = model.slide_inference(images, metas)
    torch.testing.assert_close(windows[:, :, :5, :19], plain(images[:, :, :32, :32])[:, :, :5, :19])


def test_a_training_checkpoint_is_a_plain_network(tmp_path, capsys):
    """From the text of a config, as the runner stores it, to maps of the command line."""
    cfg = Config.fromfile(CONFIGS / 'samnet_1xb16-2000i_msra10k-112x112.py')
    cfg.merge_from_dict({'model.backbone.modules': (1, 1, 1, 1, 1)})
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        model = MODELS.build(cfg.model)
    plain = SAMNet(backbone={'type': 'SAMNet', 'modules': (1, 1, 1, 1, 1)})
    settle_statistics(plain, torch.randn(4, 3, 64, 64))
    model.eval().load_state_dict(plain.state_dict())
    path = tmp_path / 'iter_2000.pth'
    torch.save({'meta': {'cfg': cfg.pretty_text}, 'state_dict': model.state_dict()}, path)
    network = load_network(path)
    assert isinstance(network, SAMNet)
    assert network.preprocessing.size == (112, 112)
    images = torch.randn(1, 3, 112, 112)
    with torch.no_grad():
        expected = model.encode_decode(images, [{'img_shape': (112, 112)}])
        torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-6)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 45, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'photo.png')
    arguments = ['predict', str(tmp_path / 'photo.png'), '-o', str(tmp_path / 'maps')]
    assert main([*arguments, '--checkpoint', str(path)]) == 0, capsys.readouterr().err
    with Image.open(tmp_path / 'maps/photo.png') as saliency:
        assert saliency.size == (45, 40)


def test_one_image_is_learned_by_heart(small_config, labelled):
    torch.manual_seed(0)
    model = MODELS.build(small_config).train()
    i, j = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing='ij')
    mask = ((i - 24) ** 2 + (j - 36) ** 2 < 250).float()
    images = (mask + 0.3 * torch.randn(3, 64, 64)).expand(2, 3, 64, 64)
    samples = [labelled(mask)] * 2
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    history = []
    for _ in range(30):
        losses = model.loss(images, samples)
        assert set(losses) == {f'decode.{name}' for name in NAMES}
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    for name, first in history[0].items():
        # The side maps have 2 to 32 pixels a side and cannot follow the edge exactly.
        assert history[-1][name] < (0.5 if name == 'decode.loss_bce' else 0.8) * first, name


def test_any_pyramid_of_any_backbone_trains(small_config, labelled):
    small_config.backbone = dict(type='mmseg.ResNet', depth=18)
    small_config.decode_head.in_channels = (64, 128, 512)
    small_config.decode_head.in_index = (0, 1, 3)
    small_config.decode_head.channels = (8, 12, 16)
    model = MODELS.build(small_config).train()
    losses = model.loss(torch.randn(2, 3, 64, 64), [labelled(torch.rand(64, 64))] * 2)
    assert list(losses) == ['decode.loss_bce', 'decode.loss_bce_r3', 'decode.loss_bce_r2']
    sum(losses.values()).backward()
    assert model.backbone.conv1.weight.grad.isfinite().all()


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'upsampling': 'both'}, r"upsampling must be one of .*, got 'both'"),
        ({'channels': (8,)}, 'channels needs 2 entries, one per map'),
    ],
)
def test_what_is_no_head_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        build(**arguments)
