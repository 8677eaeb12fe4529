from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS

from sod_plugins.networks import CSNetBackbone


def build(**arguments):
    return MODELS.build(dict(type='sod_plugins.CSNet', **arguments))


@pytest.mark.parametrize(
    'arguments',
    [
        {},
        {'width': 1.2, 'split_ratio': (3, 1), 'stage_blocks': (3, 4, 6, 4), 'out_indices': (3,)},
        {'weight_scale': 1.0, 'vanilla': True, 'out_indices': (0, 1, 2, 3)},
        {'stage_blocks': (1, 1, 1, 1), 'block_widths': [(4, 6), (9,), (12,), (15,)]},
    ],
)
def test_it_computes_what_the_plain_extractor_does(arguments, settled):
    torch.manual_seed(0)
    plain = settled(CSNetBackbone(**arguments))
    backbone = build(**arguments).eval()
    backbone.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 37, 50)
    maps, expected = backbone(images), plain(images)
    assert len(maps) == len(expected) == len(arguments.get('out_indices', (1, 2, 3)))
    for actual, reference in zip(maps, expected, strict=True):
        torch.testing.assert_close(actual, reference, rtol=0, atol=0)


@pytest.mark.parametrize('frozen', [-1, 1, 3])
def test_frozen_stages_keep_parameters_and_statistics(frozen, settled):
    backbone = build(frozen_stages=frozen)
    backbone.load_state_dict(settled(CSNetBackbone()).state_dict())
    backbone.train()
    before = {key: value.clone() for key, value in backbone.net.stages.state_dict().items()}
    images = torch.randn(2, 3, 32, 32)
    maps = backbone(images)
    if frozen < 3:
        sum(m.square().sum() for m in maps).backward()
    for name, parameter in backbone.net.stages.named_parameters():
        stage = int(name.split('.')[0])
        assert parameter.requires_grad == (parameter.grad is not None) == (stage > frozen)
    for key, value in backbone.net.stages.state_dict().items():
        if key.endswith('running_mean'):
            stage = int(key.split('.')[0])
            assert torch.equal(value, before[key]) == (stage <= frozen)


def test_statistics_are_frozen_before_train_is_called():
    backbone = build(frozen_stages=0)
    frozen = backbone.net.stages[0][0].conv1.norms[0]
    live = backbone.net.stages[1][0].conv1.norms[0]
    backbone(torch.randn(1, 3, 32, 32))
    assert frozen.num_batches_tracked == 0
    assert live.num_batches_tracked == 1


def test_norm_eval_fixes_statistics_but_not_parameters():
    backbone = build(norm_eval=True).train()
    backbone(torch.randn(1, 3, 32, 32))
    assert backbone.training
    counters = [v for k, v in backbone.state_dict().items() if k.endswith('num_batches_tracked')]
    # Three convolutions per block, a norm per scale: 15 blocks have two scales and 3 have one.
    assert len(counters) == 99
    assert not any(counters)
    assert all(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize('frozen', [-2, 4])
def test_a_stage_that_does_not_exist_cannot_be_frozen(frozen):
    with pytest.raises(ValueError, match=f'frozen_stages must be from -1 to 3, got {frozen}'):
        build(frozen_stages=frozen)
