from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, DefaultScope
from torch import nn

from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.hooks import DynamicWeightDecayHook
from sod_plugins.optim import DynamicWeightDecay, global_average

LAYERS = ['layers.1']
CONSTRUCTOR = 'sod_plugins.DynamicWeightDecayConstructor'


@pytest.fixture
def decayed_config(toy_config):
    """The toy run, by gradient descent at rate 0.1, with dynamic decay on its only norm."""

    def make(weight=3.0, **arguments) -> Config:
        cfg = toy_config(**arguments)
        cfg.model.dropout = 0.0
        cfg.optim_wrapper = dict(
            constructor=CONSTRUCTOR,
            paramwise_cfg=dict(dynamic_weight_decay=dict(layers=LAYERS)),
            optimizer=dict(type='SGD', lr=0.1, weight_decay=5e-3),
        )
        cfg.param_scheduler = None
        hook = dict(type='sod_plugins.DynamicWeightDecayHook', layers=LAYERS, weight=weight)
        cfg.custom_hooks = [hook, dict(type='RecordHook')]
        return cfg

    return make


def train(cfg, tmp_path, name, **options):
    path = tmp_path / f'{name}.py'
    cfg.dump(path)
    return launch.train(path, work_dir=tmp_path / name, **options)


def observe_norm(monkeypatch):
    """Collect the outputs of every BatchNorm in training."""
    outputs = []
    forward = nn.BatchNorm2d.forward

    def spy(self, x):
        y = forward(self, x)
        if torch.is_grad_enabled():
            outputs.append(y.detach())
        return y

    monkeypatch.setattr(nn.BatchNorm2d, 'forward', spy)
    return outputs


@pytest.mark.parametrize('accumulated', [1, 2])
def test_first_step_is_the_closed_form(decayed_config, monkeypatch, tmp_path, accumulated):
    gammas = {}
    outputs = observe_norm(monkeypatch)
    for weight in (0.0, 3.0):
        outputs.clear()
        cfg = decayed_config(weight)
        cfg.optim_wrapper.accumulative_counts = accumulated
        cfg.train_cfg.max_iters = accumulated
        cfg.train_cfg.val_interval = 100
        runner = train(cfg, tmp_path, f'weight{weight:.0f}')
        gammas[weight] = runner.model.layers[1].weight.detach()
    assert len(outputs) == accumulated
    average = torch.cat(outputs).mean((2, 3)).abs().mean(0)
    # Both runs have the same loss gradient; gamma starts at 1.
    torch.testing.assert_close(gammas[3.0] - gammas[0.0], -0.1 * 3 * average, rtol=1e-3, atol=1e-6)
    assert not runner.model.layers[1]._forward_hooks


def test_groups_of_the_real_model():
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(
            dict(
                type='EncoderDecoder',
                backbone=dict(type='sod_plugins.CSNet', width=0.4),
                decode_head=dict(type='sod_plugins.CSFHead', in_channels=(16, 32, 32)),
            )
        )
        for fusion, tensors in ((False, 99), (True, 103)):
            wrapper = OPTIM_WRAPPER_CONSTRUCTORS.build(
                dict(
                    type=CONSTRUCTOR,
                    optim_wrapper_cfg=dict(optimizer=dict(type='Adam', weight_decay=5e-3)),
                    paramwise_cfg=dict(dynamic_weight_decay=dict(fusion=fusion)),
                )
            )(model)
            standard, dynamic = wrapper.optimizer.param_groups
            assert (standard['weight_decay'], dynamic['weight_decay']) == (5e-3, 0)
            rule = DynamicWeightDecay(model, fusion=fusion)
            assert len(rule.gammas) == tensors
            assert {id(p) for p in dynamic['params']} == {id(p) for p in rule.gammas.values()}
            everything = len(standard['params']) + len(dynamic['params'])
            assert everything == len(list(model.parameters()))


def test_disagreement_stops_before_the_first_step(decayed_config, tmp_path):
    cfg = decayed_config()
    cfg.optim_wrapper.pop('constructor')
    cfg.optim_wrapper.pop('paramwise_cfg')
    with pytest.raises(ValueError, match=r'layers\.1\.weight has a standard weight decay beside'):
        train(cfg, tmp_path, 'plain_constructor')


def test_functions_by_name(decayed_config, monkeypatch, tmp_path):
    cfg = decayed_config()
    cfg.custom_hooks[0].update(
        metric='sod_plugins.optim.global_average', activation='torch.nn.functional.relu'
    )
    cfg.train_cfg.max_iters = 1
    runner = train(cfg, tmp_path, 'named')
    (hook,) = (hook for hook in runner.hooks if isinstance(hook, DynamicWeightDecayHook))
    assert (hook.rule.metric, hook.rule.activation) == (global_average, F.relu)
    cfg.custom_hooks[0].metric = 'no_such_metric'
    with pytest.raises(ValueError, match="there is no function 'no_such_metric'"):
        train(cfg, tmp_path, 'misnamed')


@pytest.mark.parametrize('by_epoch', [False, True])
def test_resumes_exactly(decayed_config, tmp_path, by_epoch):
    train(decayed_config(by_epoch=by_epoch), tmp_path, 'whole')
    train(decayed_config(by_epoch=by_epoch), tmp_path, 'part', resume=tmp_path / 'whole/iter_8.pth')
    whole, part = (torch.load(tmp_path / name / 'rank0.pth') for name in ('whole', 'part'))
    assert torch.equal(part, whole[8:])


def test_two_processes(decayed_config, train_apart, tmp_path):
    """Frozen norms: two half batches are one. Live norms: both processes stay identical."""
    frozen = decayed_config()
    frozen.custom_hooks = [*frozen.custom_hooks, dict(type='FreezeNormsHook')]
    train(frozen, tmp_path, 'single')
    frozen.train_dataloader.batch_size = 1
    live = decayed_config()
    live.train_dataloader.batch_size = 1
    for name, cfg in (('frozen', frozen), ('live', live)):
        cfg.dump(tmp_path / f'{name}.py')
        words = [tmp_path / f'{name}.py', '--work-dir', tmp_path / name]
        assert train_apart(*words, processes=2) == [0, 0]
        first, second = (torch.load(tmp_path / name / f'rank{rank}.pth') for rank in (0, 1))
        assert torch.equal(first, second)
        if name == 'frozen':
            single = torch.load(tmp_path / 'single' / 'rank0.pth')
            # Twelve steps of sums in another order.
            torch.testing.assert_close(first, single, rtol=1e-5, atol=1e-5)
