from __future__ import annotations

import math

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn

from sod_plugins.layers import GOctConv
from sod_plugins.networks import CSFDecoder


@pytest.fixture
def csf_resnet(model_config):
    """The paper's CSF+R: its head on mmseg's ResNet-50."""
    model_config.backbone = dict(type='mmseg.ResNet', depth=50)
    model_config.decode_head = dict(
        type='sod_plugins.CSFHead',
        in_channels=(256, 512, 1024, 2048),
        fuse_channels=(128, 256, 512, 512),
        weight_scale=1,
        coarsening='bilinear',
        norm_cfg=dict(type='GN', num_groups=32),
        init_cfg=dict(type='Normal', layer='Conv2d', std=0.01),
    )
    torch.manual_seed(0)
    return MODELS.build(model_config)


def test_csf_on_resnet_50_has_the_paper_s_size_and_no_idle_parameter(csf_resnet, labelled):
    assert sum(p.numel() for p in csf_resnet.parameters()) == 36_367_169  # 36.37M, Tab. 7
    samples = [labelled(torch.rand(51, 70))]
    csf_resnet.loss(torch.randn(1, 3, 51, 70), samples)['decode.loss_bce'].backward()
    idle = [n for n, p in csf_resnet.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_csf_on_resnet_50_starts_from_the_released_recipe(csf_resnet):
    before = {n: p.clone() for n, p in csf_resnet.decode_head.named_parameters()}
    csf_resnet.decode_head.init_weights()
    names = {module: name for name, module in csf_resnet.decode_head.named_modules()}
    convs = [m for m in names if isinstance(m, nn.Conv2d)]
    assert len(convs) == 4 * 5 + 1
    for conv in convs:
        # Standard error of a standard deviation is 1 / sqrt(2 n) of it; five of them.
        error = 5 / math.sqrt(2 * conv.weight.numel())
        assert conv.weight.std().item() == pytest.approx(0.01, rel=error)
    octaves = [m for m in names if isinstance(m, GOctConv)]
    assert len(octaves) == 2
    for octave in octaves:
        assert torch.equal(octave.weight, before[f'{names[octave]}.weight'])
        bound = 1 / math.sqrt(octave.weight[0].numel())  # Kaiming uniform, a = sqrt(5)
        assert octave.weight.abs().max().item() == pytest.approx(bound, rel=1e-3)


def test_it_computes_what_the_plain_decoder_does(model_config):
    widths = {
        'fuse_channels': (6, 9, 12),
        'dilated_channels': ((1, 1, 1, 1, 2), (0, 2, 3, 2, 2), (2, 2, 2, 2, 4)),
        'channels': 17,
    }
    torch.manual_seed(0)
    plain = CSFDecoder((8, 12, 20), **widths).eval()
    head = MODELS.build(
        dict(type='sod_plugins.CSFHead', in_channels=(8, 12, 20), in_index=[0, 2, 3], **widths)
    ).eval()
    head.load_state_dict(plain.state_dict())
    assert head.channels == 17
    sizes = {0: (8, 21, 30), 1: (99, 1, 1), 2: (12, 10, 15), 3: (20, 5, 7)}
    maps = [torch.randn(2, *size) for size in sizes.values()]
    expected = plain([maps[0], maps[2], maps[3]])
    torch.testing.assert_close(head(maps), expected, rtol=0, atol=0)


def test_a_norm_cfg_replaces_every_norm():
    head = MODELS.build(
        dict(
            type='sod_plugins.CSFHead',
            in_channels=(12, 24),
            norm_cfg=dict(type='GN', num_groups=2),
        )
    )
    norms = [m for m in head.modules() if isinstance(m, nn.BatchNorm2d | nn.GroupNorm)]
    assert [type(m) for m in norms] == [nn.GroupNorm] * 5  # two fused, two dilated, one merged
    assert {m.num_groups for m in norms} == {2}
