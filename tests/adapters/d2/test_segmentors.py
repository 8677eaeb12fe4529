"""Saliency networks in detectron2's models: equal to the plain ones, on any backbone, both ways."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from d2_models import METHODS, sample_of
from d2_models import saliency_config as config_of
from PIL import Image
from reference_values import settle_statistics

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2.engine import DefaultPredictor
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_model

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import load_network, save_network
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.networks import Preprocessing


@pytest.fixture
def plain(request):
    """A plain network whose statistics fit its weights."""
    torch.manual_seed(0)
    network = METHODS[request.param][0]()
    settle_statistics(network, torch.randn(2, 3, 64, 64))
    network.preprocessing = Preprocessing((64, 64))
    return network


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize('plain', METHODS, indirect=True)
def test_checkpoints_go_both_ways_with_equal_outputs(plain, photo, tmp_path, request):
    name = type(plain).__name__
    save_network(tmp_path / 'plain.pth', plain)
    model = build_model(config_of(name)).eval()
    checkpointer = adapter.Checkpointer(model, str(tmp_path))
    checkpointer.load(str(tmp_path / 'plain.pth'))
    with torch.no_grad():
        found = model([sample_of(photo)])[0]
    expected = SaliencyPredictor(plain).predict(photo)
    np.testing.assert_allclose(found['saliency'].numpy(), expected, rtol=0, atol=1e-5)
    assert torch.equal(found['sem_seg'][1], found['saliency'])
    checkpointer.save('trained_here')
    again = load_network(tmp_path / 'trained_here.pth')
    assert (type(again), again.preprocessing) == (type(plain), plain.preprocessing)
    np.testing.assert_allclose(SaliencyPredictor(again).predict(photo), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize('plain', METHODS, indirect=True)
def test_losses_equal_those_of_the_plain_network(plain, photo, tmp_path):
    plain.train()
    for module in plain.modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    model = build_model(config_of(type(plain).__name__))
    prefixes = adapter.describe_model(model).prefixes
    weights = {
        theirs + key.removeprefix(ours): value
        for key, value in plain.state_dict().items()
        for theirs, ours in prefixes.items()
        if key.startswith(ours)
    }
    model.load_state_dict(weights)
    for module in model.train().modules():
        if isinstance(module, torch.nn.modules.dropout._DropoutNd):
            module.p = 0.0
    images = torch.randint(0, 256, (2, 3, 64, 64)).float()
    masks = torch.rand(2, 64, 64)
    samples = [{'image': i, 'sem_seg': m} for i, m in zip(images, masks, strict=True)]
    normalised = (images - model.pixel_mean) / model.pixel_std
    expected = plain.losses(normalised, masks[:, None])
    losses = model(samples)
    assert losses.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize('plain', ['CSNet'], indirect=True)
def test_default_predictor_and_sod_predict_give_the_same_map(plain, photo, tmp_path):
    save_network(tmp_path / 'plain.pth', plain)
    cfg = config_of('CSNet')
    model = build_model(cfg)
    checkpointer = adapter.Checkpointer(model, str(tmp_path))
    checkpointer.load(str(tmp_path / 'plain.pth'))
    checkpointer.save('model_final')
    cfg.MODEL.WEIGHTS = str(tmp_path / 'model_final.pth')
    cfg.INPUT.MIN_SIZE_TEST = 0
    found = DefaultPredictor(cfg)(photo[..., ::-1].copy())  # as OpenCV reads: BGR
    Image.fromarray(photo).save(tmp_path / 'photo.png')
    predicted = SaliencyPredictor(load_network(cfg.MODEL.WEIGHTS)).predict(tmp_path / 'photo.png')
    levels = (predicted * 255).astype(int), (found['saliency'].numpy() * 255).astype(int)
    assert np.abs(levels[0] - levels[1]).max() <= 1
    # The demo's Visualizer draws the classes of an argmax.
    assert found['sem_seg'].argmax(0).unique().tolist() in ([0], [1], [0, 1])


def bgr(cfg):
    cfg = copy.deepcopy(cfg)
    cfg.INPUT.FORMAT = 'BGR'
    cfg.MODEL.PIXEL_MEAN, cfg.MODEL.PIXEL_STD = (
        cfg.MODEL.PIXEL_MEAN[::-1],
        cfg.MODEL.PIXEL_STD[::-1],
    )
    return cfg


def test_the_order_of_channels_does_not_change_the_map(photo):
    torch.manual_seed(0)
    models = [build_model(cfg(config_of('SAMNet'))).eval() for cfg in (lambda c: c, bgr)]
    models[1].load_state_dict(models[0].state_dict())
    with torch.no_grad():
        rgb = models[0]([sample_of(photo)])[0]['saliency']
        other = models[1]([sample_of(photo[..., ::-1].copy())])[0]['saliency']
    torch.testing.assert_close(rgb, other, rtol=0, atol=1e-6)


def test_a_map_that_the_backbone_lacks_is_named():
    with pytest.raises(ValueError, match=r"take the maps \['p9'\]"):
        adapter.CSFHead({'p2': ShapeSpec(channels=16, stride=4)}, in_features=['p9'])


def test_whole_networks_by_name():
    cfg = config_of('CSNet')
    cfg.MODEL.META_ARCHITECTURE = 'NetworkSegmentor'
    cfg.SOD.NETWORK.type = 'CSNet'
    cfg.SOD.NETWORK.width = 0.4
    model = build_model(cfg)
    assert adapter.describe_model(model).network == 'CSNet'
    cfg.SOD.NETWORK.type = 'S4Net'
    with pytest.raises(ValueError, match='finds instances'):
        build_model(cfg)
