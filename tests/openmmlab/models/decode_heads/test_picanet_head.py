from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS
from PIL import Image

from sod_plugins.cli import main as sod
from sod_plugins.networks import load_network, picanet_losses
from sod_plugins.openmmlab import launch

# Three levels at strides 1, 2 and 4, narrow.
BACKBONE = dict(type='sod_plugins.VGG', depth=11, width=0.125, out_indices=(0, 1, 2))
HEAD = dict(
    type='sod_plugins.PiCANetHead',
    in_channels=(8, 16, 32),
    setting='3GAP_2AC',
    channels=(8, 8, 8),
    gap_kernel_size=4,
    local_kernel_size=3,
    renet_channels=4,
    attention_channels=4,
    tap_norm='all',
    init_std=None,
)


def build(**arguments):
    torch.manual_seed(0)
    return MODELS.build({**HEAD, **arguments})


def pyramid(batch=2):
    return [
        torch.randn(batch, c, *s)
        for c, s in zip((8, 16, 32), ((16, 12), (8, 6), (4, 3)), strict=True)
    ]


def test_losses_are_those_of_the_plain_function(labelled):
    weights = {
        'level_weights': (3, 2, 1),
        'global_attention_weight': 0.7,
        'local_attention_weight': 0.5,
    }
    head, masks = build(**weights).train(), torch.rand(2, 32, 24)
    masks[0, :5] = 255
    outputs = head(pyramid())
    losses = head.loss_by_feat(outputs, [labelled(mask) for mask in masks])
    decoders = head.net.decoders
    assert losses == picanet_losses(decoders, outputs, masks[:, None], ignore_value=255, **weights)
    levels = ['loss_d3', 'loss_d2', 'loss_d1']
    assert list(losses) == [*levels, 'loss_global_attention', 'loss_local_attention']
    plain = build(setting='U-Net').train()
    assert list(plain.loss_by_feat(plain(pyramid()), [labelled(m) for m in masks])) == levels


@pytest.mark.parametrize('training', [True, False])
@torch.no_grad()
def test_the_prediction_is_the_last_map_at_the_size_of_the_input(training):
    head, maps = build().train(training), pyramid()
    expected = F.interpolate(list(head.net.decode(maps))[-1].logits, (33, 47), mode='bilinear')
    logits = head.predict(maps, [{'img_shape': (33, 47)}], {})
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize('value', [0, 1, 255])
def test_every_parameter_receives_a_finite_gradient(value, labelled):
    """Of a mask without foreground, without background, or with padding alone."""
    head = build().train()
    losses = head.loss_by_feat(head(pyramid()), [labelled(torch.full((16, 12), float(value)))] * 2)
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in head.named_parameters()}
    assert {name.split('.')[0] for name in gradients} == {'net'}  # nothing is left of the host
    assert all(g is not None and g.isfinite().all() for g in gradients.values())


def test_checkpoints_of_a_training_serve_without_the_host(
    model_config, toy_config, photos, tmp_path
):
    model_config.backbone, model_config.decode_head = ConfigDict(BACKBONE), ConfigDict(HEAD)
    config = toy_config()
    config.train_cfg.max_iters = 1
    config.default_hooks.checkpoint.interval = 1
    config = Config({**config.to_dict(), 'model': model_config, 'default_scope': 'mmseg'})
    config.dump(tmp_path / 'picanet.py')
    runner = launch.train(tmp_path / 'picanet.py', work_dir=tmp_path)
    checkpoint = tmp_path / 'iter_1.pth'

    network = load_network(checkpoint)
    assert (network.arguments['setting'], network.arguments['gap_kernel_size']) == ('3GAP_2AC', 4)
    images = torch.randn(2, 3, 37, 50)
    with torch.no_grad():
        expected = runner.model.eval().encode_decode(images, [{'img_shape': (37, 50)}] * 2)
        torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-6)

    photo = str(photos / 'images' / '00.png')
    words = ['-o', str(tmp_path / 'maps'), '--checkpoint', str(checkpoint), '--device', 'cpu']
    assert sod(['predict', photo, *words]) == 0
    with Image.open(tmp_path / 'maps' / '00.png') as saved, Image.open(photo) as original:
        assert saved.size == original.size
