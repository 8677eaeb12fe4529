from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import MODELS


def build(**arguments):
    torch.manual_seed(0)
    return MODELS.build(dict(type='sod_plugins.CSFHead', in_channels=(8, 12), **arguments))


def cross_entropy(logits, mask):
    """Binary cross-entropy per pixel by its definition, in double precision."""
    saliency = F.interpolate(logits.double(), mask.shape[-2:], mode='bilinear').sigmoid()
    return -(mask * saliency.log() + (1 - mask) * (1 - saliency).log())


def test_the_loss_is_the_mean_cross_entropy_with_a_soft_mask_of_any_size(labelled):
    masks = torch.rand(2, 33, 47)
    logits = torch.randn(2, 1, 16, 24)
    losses = build().loss_by_feat(logits, [labelled(mask) for mask in masks])
    assert set(losses) == {'loss_bce'}
    expected = cross_entropy(logits, masks[:, None].double()).mean()
    # float32 sums over 3,102 pixels
    torch.testing.assert_close(losses['loss_bce'].double(), expected, rtol=1e-5, atol=0)


def test_the_integer_labels_of_the_host_s_pipelines_do_as_well(labelled):
    mask = (torch.rand(12, 14) > 0.5).long()
    logits = torch.randn(1, 1, 12, 14)
    loss = build().loss_by_feat(logits, [labelled(mask)])['loss_bce']
    expected = cross_entropy(logits, mask[None, None].double()).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)


def test_padding_of_the_mask_does_not_count(labelled):
    mask = torch.rand(20, 20)
    padded = F.pad(mask, (0, 12, 0, 5), value=255)
    logits = torch.randn(1, 1, 25, 32)
    loss = build().loss_by_feat(logits, [labelled(padded)])['loss_bce']
    expected = cross_entropy(logits[..., :20, :20], mask[None, None].double()).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=0)


def test_a_config_replaces_the_loss(labelled):
    entropy = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
    names = ('loss_twice', 'loss_sum', 'loss_sum')  # terms of one name add up, as in the host
    terms = [
        entropy | {'loss_weight': w, 'loss_name': n} for w, n in zip((2, 3, 4), names, strict=True)
    ]
    logits, samples = torch.randn(1, 1, 9, 9), [labelled(torch.rand(9, 9))]
    default = build().loss_by_feat(logits, samples)['loss_bce'].item()
    [single] = build(loss_decode=terms[0]).loss_by_feat(logits, samples).values()
    several = build(loss_decode=terms).loss_by_feat(logits, samples)
    assert single.item() == pytest.approx(2 * default, rel=1e-5)
    assert {name: value.item() for name, value in several.items()} == pytest.approx(
        {'loss_twice': 2 * default, 'loss_sum': 7 * default}, rel=1e-5
    )


def test_nothing_is_left_over_from_the_host():
    head = build()
    assert {name.split('.')[0] for name, _ in head.named_parameters()} == {'net'}
    assert head.dropout is None
    head.init_weights()
