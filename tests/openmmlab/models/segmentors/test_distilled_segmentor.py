from __future__ import annotations

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS

from sod_plugins import zoo
from sod_plugins.checkpoints import save_network
from sod_plugins.networks import CSNet, S4Net
from sod_plugins.networks.distillation import attention_transfer_loss, soft_map_loss


@pytest.fixture
def distilled(model_config, settled):
    torch.manual_seed(0)
    settings = dict(type='sod_plugins.DistilledSegmentor', teacher='zoo:sod-small')
    model = MODELS.build(model_config | settings | dict(map_weight=2.0, feature_weight=0.5))
    model.load_state_dict(settled(CSNet()).state_dict())
    return model.eval()


def test_losses_towards_the_teacher_join_those_of_the_masks(distilled, model_config, labelled):
    samples = [labelled(torch.rand(64, 64)) for _ in range(2)]
    photos = torch.rand(2, 3, 64, 64) * 255
    images = (photos - 127.5) / 60  # as the student's preprocessor makes them
    with torch.no_grad():
        losses = distilled.loss(images, samples)
        plain = MODELS.build(model_config).eval()
        plain.load_state_dict(distilled.state_dict())
        masks = plain.loss(images, samples)
        teacher = zoo.load('sod-small')
        taught = (photos - 127) / 128
        logits = plain.encode_decode(images, [{'img_shape': (64, 64)}] * 2)
        maps = soft_map_loss(logits, teacher(taught).sigmoid())
        alike = attention_transfer_loss(plain.extract_feat(images), teacher.backbone(taught))
    assert losses.keys() == masks.keys() | {'distill.loss_map', 'distill.loss_features'}
    for name, value in masks.items():
        torch.testing.assert_close(losses[name], value, rtol=0, atol=1e-6)
    torch.testing.assert_close(losses['distill.loss_map'], 2 * maps, rtol=1e-4, atol=0)
    torch.testing.assert_close(losses['distill.loss_features'], 0.5 * alike, rtol=1e-4, atol=0)


def test_the_teacher_is_neither_trained_nor_saved(distilled, model_config, labelled):
    assert distilled.state_dict().keys() == MODELS.build(model_config).state_dict().keys()
    distilled.train()
    teacher = zoo.load('sod-small').state_dict()
    optimizer = build_optim_wrapper(distilled, dict(optimizer=dict(type='SGD', lr=0.1)))
    before = {name: value.clone() for name, value in distilled.state_dict().items()}
    losses = distilled.loss(torch.randn(2, 3, 64, 64), [labelled(torch.rand(64, 64))] * 2)
    optimizer.update_params(sum(losses.values()))
    after = distilled.state_dict()
    assert any(not torch.equal(before[name], after[name]) for name in after)
    for name, value in distilled._teacher[0].state_dict().items():
        assert torch.equal(value, teacher[name]), name


def test_a_teacher_must_find_saliency(model_config, tmp_path):
    save_network(tmp_path / 's4net.pth', S4Net('mobilenet'))
    settings = dict(type='sod_plugins.DistilledSegmentor', teacher=str(tmp_path / 's4net.pth'))
    with pytest.raises(ValueError, match='finds instances, and not saliency'):
        MODELS.build(model_config | settings)
    with pytest.raises(ValueError, match='sod-smal'):
        MODELS.build(model_config | settings | dict(teacher='zoo:sod-smal'))
