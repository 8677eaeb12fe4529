"""The training contract: ``losses`` of every network, and what the decoders return for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from sod_plugins.networks import ITDBU, CSNet, PiCANet, SAMNet

NARROW = {'type': 'MobileNet', 'width': 0.25}
SMALL = {'type': 'SAMNet', 'width': 0.5, 'modules': (1, 1, 1, 1, 1)}
NETWORKS = {
    'CSNet': lambda: CSNet(width=0.4),
    'CSNet without fusion': lambda: CSNet(width=0.4, fuse_stages=()),
    'SAMNet': lambda: SAMNet(SMALL, dropout=0),
    'ITDBU': lambda: ITDBU(NARROW, iterations=2, unify_channels=8, hidden_channels=4),
    'PiCANet': lambda: PiCANet(
        '4GAP_3AC',
        NARROW,
        channels=(4, 4, 6, 6, 8),
        gap_kernel_size=4,
        renet_channels=4,
        attention_channels=4,
        init_std=None,
    ),
}
NAMES = {
    'CSNet': ['loss_bce'],
    'CSNet without fusion': ['loss_bce'],
    'ITDBU': ['loss_top_down', 'loss_bottom_up'],
    'PiCANet': ['loss_d5', 'loss_d4', 'loss_d3', 'loss_d2', 'loss_d1', 'loss_global_attention'],
    'SAMNet': ['loss_bce', 'loss_bce_r5', 'loss_bce_r4', 'loss_bce_r3', 'loss_bce_r2'],
}


@pytest.fixture(params=NETWORKS)
def named(request):
    torch.manual_seed(0)
    return request.param, NETWORKS[request.param]().train()


@pytest.fixture
def network(named):
    return named[1]


@pytest.fixture
def scene():
    """Two images of noise with a brighter rectangle each, and their masks."""
    torch.manual_seed(1)
    masks = torch.zeros(2, 1, 48, 64)
    masks[0, :, 8:30, 10:50] = masks[1, :, 20:44, 4:30] = 1
    return torch.randn(2, 3, 48, 64) + 2 * masks, masks


def test_every_parameter_receives_a_gradient_that_is_not_zero(named, scene):
    name, network = named
    losses = network.losses(*scene)
    assert list(losses) == NAMES[name]
    assert all(loss.dim() == 0 and loss > 0 for loss in losses.values())
    sum(losses.values()).backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []
    assert all(p.grad.isfinite().all() and p.grad.any() for p in network.parameters())


def test_losses_are_the_same_terms_in_evaluation(named, scene):
    """Each is what training would compare, of statistics that do not change."""
    name, network = named
    network.eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with torch.no_grad():
        losses = network.losses(*scene)
    assert list(losses) == NAMES[name]
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_losses_are_those_of_the_decoder(network, scene):
    """To the bit, whether the network or a host puts the extractor before the decoder."""
    images, masks = scene
    whole = network.losses(images, masks)
    outputs = network.decode_head(network.backbone(images))
    parts = network.decode_head.losses(outputs, masks)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def tensors_only(value) -> bool:
    if isinstance(value, (tuple, list)):
        return bool(value) and all(map(tensors_only, value))
    return value is None or isinstance(value, Tensor)


def test_the_decoder_returns_nothing_but_tensors(network, scene):
    outputs = network.decode_head(network.backbone(scene[0]))
    assert tensors_only(outputs)
    assert not tensors_only([nn.ReLU()])


def test_pixels_that_do_not_count(network, scene):
    images, masks = scene
    nothing = network.losses(images, torch.full_like(masks, 255), ignore_value=255)
    assert sum(nothing.values()) == 0
    sum(nothing.values()).backward()
    assert not any(p.grad.any() for p in network.parameters())
    all_count = network.losses(images, masks, ignore_value=255)
    expected = network.losses(images, masks)
    for name, loss in all_count.items():
        torch.testing.assert_close(loss, expected[name], rtol=1e-5, atol=0)


def test_half_precision_under_autocast(network, scene):
    exact = network.losses(*scene)
    with torch.autocast('cpu', torch.bfloat16):
        half = network.losses(*scene)
    for name, loss in half.items():
        assert loss.dtype == torch.float32
        assert loss.item() == pytest.approx(exact[name].item(), rel=0.1)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda m: 255 * m, r'The masks must lie in \[0, 1\], got values from 0 to 255: divide'),
        (lambda m: m - 1, r'got values from -1 to 0'),
        (lambda m: m + torch.nan, r'got values from nan to nan'),
        (lambda m: m[:1], r'The masks must be \(2, 1, H, W\), got \(1, 1, 48, 64\)'),
        (lambda m: m[:, 0], r'The masks must be \(2, 1, H, W\), got \(2, 48, 64\)'),
        (lambda m: m[..., :32], r'must have the size of the images, \(48, 64\), got \(48, 32\)'),
    ],
)
def test_masks_that_do_not_fit_are_refused(network, scene, change, message):
    images, masks = scene
    with pytest.raises(ValueError, match=message):
        network.losses(images, change(masks))
