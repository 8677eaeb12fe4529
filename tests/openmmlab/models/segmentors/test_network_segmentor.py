from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope

from sod_plugins.networks import CSNet, Preprocessing, SAMNet
from sod_plugins.openmmlab.description import describe_model

SMALL = dict(width=0.4, stage_blocks=(1, 1, 1, 1))
PREPROCESSOR = dict(
    type='mmseg.SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size_divisor=1
)
CFG = dict(
    test_dataloader=dict(
        dataset=dict(pipeline=[dict(type='sod_plugins.ResizeSaliency', size=(32, 48))])
    )
)


@pytest.fixture(autouse=True)
def mmseg_scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        yield


def build(**network):
    return MODELS.build(
        ConfigDict(
            type='sod_plugins.NetworkSegmentor', network=network, data_preprocessor=PREPROCESSOR
        )
    )


def test_the_losses_are_the_network_s(labelled):
    segmentor = build(type='CSNet', **SMALL)
    images, masks = torch.randn(2, 3, 32, 32), torch.rand(2, 32, 32)
    masks[0, :4] = 255  # padding, which does not count
    losses = segmentor.loss(images, [labelled(mask) for mask in masks])
    expected = segmentor.network.losses(images, masks[:, None], 255)
    assert losses.keys() == expected.keys()
    assert all(torch.isfinite(v) for v in losses.values())
    total = sum(v for k, v in losses.items() if k.startswith('loss'))
    total.backward()
    assert all(p.grad.any() for p in segmentor.network.decode_head.classifier.parameters())


def test_results_are_saliency_at_the_original_size(labelled, settled):
    segmentor = build(type='CSNet', **SMALL)
    settled(segmentor.network)
    images = torch.randn(1, 3, 32, 48)
    (result,) = segmentor.eval().predict(images, [labelled(torch.zeros(20, 30))])
    saliency = result.seg_logits.data
    assert saliency.shape == (1, 20, 30)
    assert 0 <= saliency.min() < saliency.max() <= 1


def test_it_is_described_whole():
    segmentor = build(type='SAMNet', backbone=dict(type='SAMNet', width=0.5), upsampling='logits')
    description = describe_model(segmentor, CFG)
    assert description.preprocessing == Preprocessing((32, 48), (120.0,) * 3, (60.0,) * 3)
    assert description.arguments['upsampling'] == 'logits'
    network = description.build(description.own_weights(segmentor.state_dict()))
    assert isinstance(network, SAMNet)
    for name, weight in segmentor.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], weight)


def test_a_head_s_settings_are_described():
    """What the parts of a segmentor do not tell by their weights."""
    model = MODELS.build(
        ConfigDict(
            type='sod_plugins.SaliencySegmentor',
            data_preprocessor=PREPROCESSOR,
            backbone=dict(type='sod_plugins.SAMNet', width=0.5),
            decode_head=dict(
                type='sod_plugins.SAMNetHead',
                in_channels=(8, 16, 32, 48, 64),
                upsampling='logits',
                side_loss_weight=0.25,
            ),
        )
    )
    arguments = describe_model(model, CFG).arguments
    assert (arguments['upsampling'], arguments['backbone']['width']) == ('logits', 0.5)
    network = SAMNet(**arguments)
    assert network.arguments['side_loss_weight'] == 0.25


@pytest.mark.parametrize(
    ('network', 'message'),
    [
        (dict(type='Unet'), "names a network 'Unet', which is not one of those known here"),
        (dict(type='S4Net'), 'S4Net finds instances, and not saliency'),
        (dict(type='CSNet', depth=3), 'CSNet cannot be built: .*depth'),
    ],
)
def test_what_is_no_saliency_network_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        build(**network)


def test_the_plain_network_s_weights_load():
    segmentor, network = build(type='sod_plugins.CSNet', **SMALL), CSNet(**SMALL)
    segmentor.network.load_state_dict(network.state_dict())
    images = torch.randn(1, 3, 32, 32)
    segmentor.eval()
    assert torch.equal(segmentor(images), network.eval()(images))
