from __future__ import annotations

import pytest
import torch

from sod_plugins.networks import (
    ITDBU,
    Preprocessing,
    count_macs,
    load_network,
    save_network,
)

SMALL = {'unify_channels': 8, 'hidden_channels': 4}
SMALL_CSNET = {'type': 'CSNet', 'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}
CONFIG = """
model = dict(
    data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0]),
    backbone=dict(
        type='sod_plugins.CSNet', width=0.4, stage_blocks=(1, 1, 1, 1), frozen_stages=1,
        norm_eval=True, init_cfg=dict(type='Pretrained', checkpoint='net.pth')),
    decode_head=dict(
        type='sod_plugins.ITDBUHead', in_channels=(16, 32, 32), in_index=(0, 1, 2), cell='lstm',
        iterations=2, unify_channels=8, hidden_channels=4, carry_hidden=True,
        loss_decode=dict(type='mmseg.CrossEntropyLoss')))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(size=(48, 64), type='sod_plugins.ResizeSaliency')]))
"""


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ('backbone', 'sizes'),
    [
        ('vgg16', [(37, 50), (18, 25), (9, 12), (4, 6), (2, 3)]),
        ('resnet50', [(19, 25), (10, 13), (5, 7), (3, 4), (2, 2)]),
        (SMALL_CSNET, [(18, 25), (9, 12), (4, 6)]),
        ('samnet', [(19, 25), (10, 13), (5, 7), (3, 4), (2, 2)]),
    ],
)
def test_any_backbone_and_odd_sizes(backbone, sizes):
    network, images = ITDBU(backbone, iterations=2, **SMALL), torch.randn(2, 3, 37, 50)
    sides = network.side_outputs(images)
    levels = len(sizes)
    assert len(sides) == len(network(images)) == 2 * (1 + 2 * (levels - 1) + (levels - 1))
    for side in sides:
        assert side.logits.shape == (2, 1, *sizes[side.level - 1])
    sum(network.losses(images, torch.rand(2, 1, 37, 50)).values()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    network.eval()
    with torch.no_grad():
        logits = network(images)
        finest = network.side_outputs(images, last_step_only=True)[-1].logits
    assert logits.shape == (2, 1, 37, 50) and logits.isfinite().all()
    resized = torch.nn.functional.interpolate(finest, (37, 50), mode='bilinear')
    torch.testing.assert_close(logits, resized, rtol=0, atol=1e-6)


def test_the_default_is_as_documented():
    network = ITDBU()
    assert sum(p.numel() for p in network.decode_head.parameters()) == 407_225
    assert len(network.decode_head.visits) == 5 + 4 + 4 + 4 + 4
    assert network.preprocessing == Preprocessing()


def test_features_are_computed_once():
    calls = []
    networks = [ITDBU(SMALL_CSNET, iterations=n, **SMALL) for n in (1, 3)]
    for network in networks:
        network.backbone.register_forward_hook(lambda *_: calls.append(1))
        network(torch.randn(2, 3, 32, 32))
    assert len(calls) == 2
    # Two iterations more cost their cells and read-outs alone: nothing of backbone and R.
    one, three = (count_macs(network, (32, 32)) for network in networks)
    input_macs, hidden_macs, readout_macs = 9 * 8 * 3 * 4, 9 * 4 * 3 * 4, 4
    pixels = 2 * (16**2 + 8**2) + 2 * (8**2 + 4**2)  # levels 1 and 2 top-down, 2 and 3 bottom-up
    assert three - one == pixels * (input_macs + hidden_macs + readout_macs)


def test_round_trip(tmp_path):
    network = ITDBU(SMALL_CSNET, 'rnn', 2, 3, 'iv', top_saliency='readout', **SMALL)
    save_network(tmp_path / 'net.pth', network)
    loaded = load_network(tmp_path / 'net.pth')
    assert loaded.arguments == network.arguments
    images = torch.randn(1, 3, 32, 40)
    assert torch.equal(loaded(images), network.eval()(images))


def test_training_checkpoints_are_read_without_a_host(tmp_path):
    network = ITDBU(SMALL_CSNET, 'lstm', 2, carry_hidden=True, **SMALL)
    state = {k.replace('.', '.net.', 1): v for k, v in network.state_dict().items()}
    torch.save({'meta': {'cfg': CONFIG}, 'state_dict': state}, tmp_path / 'iter_4.pth')
    loaded = load_network(tmp_path / 'iter_4.pth')
    assert loaded.arguments == network.arguments
    assert loaded.preprocessing == Preprocessing((48, 64), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    images = torch.randn(1, 3, 48, 64)
    assert torch.equal(loaded(images), network.eval()(images))


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ("'sod_plugins.CSNet'", "'mmseg.ResNet'", 'mmseg.ResNet is not of this package'),
        ('in_index=(0, 1, 2)', 'in_index=(2, 1, 0)', 'does not take all maps .* in order'),
    ],
)
def test_refuses_training_checkpoints_of_other_networks(tmp_path, old, new, message):
    torch.save({'meta': {'cfg': CONFIG.replace(old, new)}, 'state_dict': {}}, tmp_path / 'a.pth')
    with pytest.raises(ValueError, match=message):
        load_network(tmp_path / 'a.pth')


def test_refuses_what_is_no_network():
    with pytest.raises(ValueError, match=r"backbone must be one of .*got 'vgg'"):
        ITDBU('vgg')
    with pytest.raises(ValueError, match='sharing must be one of'):
        ITDBU(SMALL_CSNET, sharing='v')


def test_learns_one_scene():
    network = ITDBU(SMALL_CSNET, iterations=2, **SMALL)
    images, mask = torch.randn(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1
    images += 3 * mask
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = sum(network.losses(images, mask).values())
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
