from __future__ import annotations

from operator import attrgetter

import pytest
import torch

pytest.importorskip('mmseg')

from torch import nn

from sod_plugins.networks import CSNet, load_network
from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.hooks import DynamicWeightDecayHook, PruningHook
from sod_plugins.optim import prune


@pytest.fixture
def pruned_config(toy_config):
    """Twelve steps of a CSNet with dynamic decay, pruned before the seventh."""

    def make(by_epoch=False, **pruning):
        cfg = toy_config(by_epoch=by_epoch)
        cfg.default_scope = 'mmseg'
        cfg.model = dict(
            type='sod_plugins.SaliencySegmentor',
            data_preprocessor=dict(
                type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size_divisor=1
            ),
            backbone=dict(type='sod_plugins.CSNet', width=0.4, stage_blocks=(1, 1, 2, 1)),
            decode_head=dict(type='sod_plugins.CSFHead', in_channels=(16, 32, 32)),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
        cfg.optim_wrapper = dict(
            constructor='sod_plugins.DynamicWeightDecayConstructor',
            optimizer=dict(type='Adam', lr=1e-3, weight_decay=5e-3),
        )
        cfg.train_cfg.val_interval = 100
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        pruning = {'begin': 1 if by_epoch else 6, 'by_epoch': by_epoch, 'ratio': 0.5, **pruning}
        # The order does not matter: priorities do.
        cfg.custom_hooks = [
            dict(type='sod_plugins.PruningHook', **pruning),
            dict(type='sod_plugins.DynamicWeightDecayHook'),
        ]
        return cfg

    return make


def train(cfg, folder, **options):
    folder.mkdir(exist_ok=True)
    path = folder / f'{folder.name}.py'
    cfg.dump(path)
    runner = launch.train(path, work_dir=folder, **options)
    return runner, torch.load(folder / 'iter_12.pth', weights_only=False)


def assert_same(first, second):
    assert list(first['state_dict']) == list(second['state_dict'])
    for name, weight in first['state_dict'].items():
        assert torch.equal(second['state_dict'][name], weight), name
    groups = [checkpoint['optimizer']['param_groups'] for checkpoint in (first, second)]
    assert groups[0] == groups[1]
    for key, state in first['optimizer']['state'].items():
        for name, value in state.items():
            assert torch.equal(second['optimizer']['state'][key][name], value)


@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
def test_train_prune_finetune_and_resume_on_either_side(pruned_config, tmp_path, by_epoch):
    """One config; resumes from before, at and after the pruning end in the same weights."""
    cfg = pruned_config(by_epoch)
    cfg.default_hooks.checkpoint.interval = 2
    runner, whole = train(cfg, tmp_path / 'whole')
    before, after = (load_network(tmp_path / f'whole/iter_{i}.pth') for i in (6, 12))
    expected = prune(before, ratio=0.5)
    for part in ('backbone.block_widths', 'decode_head.fuse_channels', 'decode_head.channels'):
        assert attrgetter(part)(after) == attrgetter(part)(expected)
    assert not any(module._forward_hooks for module in runner.model.modules())
    for start in ('iter_8',) if by_epoch else ('iter_4', 'iter_8'):
        _, resumed = train(cfg, tmp_path / start, resume=tmp_path / f'whole/{start}.pth')
        assert_same(whole, resumed)
    # The config as it was describes both kinds of checkpoints to a test.
    for name in ('iter_6', 'iter_12'):
        measures = launch.test(
            tmp_path / 'whole/whole.py', tmp_path / f'whole/{name}.pth', work_dir=tmp_path / 'test'
        )
        assert 0 <= measures['saliency/mae'] <= 1


def weights_and_statistics(network):
    statistics = {k: v for k, v in network.state_dict().items() if 'running' in k or 'num_b' in k}
    return dict(network.named_parameters()), statistics


def test_statistics_alone_are_estimated_anew(pruned_config, tmp_path):
    """As released: not one weight moves, and the running statistics begin at 0 and 1."""
    cfg = pruned_config(finetune='statistics')
    train(cfg, tmp_path / 'whole')
    before, after = (
        load_network(tmp_path / f'whole/{n}.pth') for n in ('before_pruning', 'iter_12')
    )
    expected, _ = weights_and_statistics(prune(before, ratio=0.5))
    weights, statistics = weights_and_statistics(after)
    for name, weight in expected.items():
        assert torch.equal(weights[name], weight), name
    assert {int(v) for k, v in statistics.items() if 'num_b' in k} == {6}
    norm = after.backbone.stages[0][0].conv1.norms[0]
    # Six updates of momentum 0.1 leave 0.9 ** 6 of the first value, 1.
    assert (norm.running_var >= 0.9**6).all()
    _, whole = train(cfg, tmp_path / 'again', resume=tmp_path / 'whole/iter_8.pth')
    assert_same(torch.load(tmp_path / 'whole/iter_12.pth', weights_only=False), whole)


def test_weights_are_trained_on(pruned_config, tmp_path):
    cfg = pruned_config(lr=0.25)
    cfg.param_scheduler = None
    cfg.default_hooks.checkpoint.interval = 1
    runner, _ = train(cfg, tmp_path / 'run')
    assert {group['lr'] for group in runner.optim_wrapper.optimizer.param_groups} == {0.25}
    before, first = (load_network(tmp_path / f'run/{n}.pth') for n in ('before_pruning', 'iter_7'))
    weights = dict(first.named_parameters())
    for name, weight in prune(before, ratio=0.5).named_parameters():
        # Adam's first step has the length of the learning rate; dead channels get no gradient.
        moved = (weights[name] - weight).abs()
        assert moved.max() <= 0.2501, name
    assert (weights['decode_head.classifier.bias'] - before.decode_head.classifier.bias).abs() > 0.2
    _, statistics = weights_and_statistics(first)
    assert {int(v) for k, v in statistics.items() if 'num_b' in k} == {7}
    # Nothing decays gamma any more.
    rule = next(h for h in runner.hooks if isinstance(h, DynamicWeightDecayHook)).rule
    assert not rule._handles
    optimizer = runner.optim_wrapper.optimizer
    trained = {id(p) for group in optimizer.param_groups for p in group['params']}
    assert trained == {id(p) for p in runner.model.parameters()}
    standard, dynamic = optimizer.param_groups
    assert (standard['weight_decay'], dynamic['weight_decay']) == (5e-3, 0)
    gammas = {
        id(m.weight) for m in runner.model.backbone.modules() if isinstance(m, nn.BatchNorm2d)
    }
    assert {id(p) for p in dynamic['params']} == gammas


def test_refusals_come_before_the_first_step(pruned_config, tmp_path):
    def refusal(**pruning):
        cfg = pruned_config(**pruning)
        with pytest.raises(LaunchError) as stop:
            train(cfg, tmp_path / 'refused')
        return str(stop.value)

    assert 'begin=12, but the training ends at 12' in refusal(begin=12)
    cfg = pruned_config()
    cfg.custom_hooks[0].by_epoch = True
    with pytest.raises(LaunchError, match='by_epoch=True, but the training runs by iterations'):
        train(cfg, tmp_path / 'refused')
    cfg = pruned_config()
    cfg.custom_hooks.append(dict(type='EMAHook'))
    with pytest.raises(LaunchError, match='leave out the EMAHook'):
        train(cfg, tmp_path / 'refused')
    cfg = pruned_config()
    cfg.custom_hooks.pop()
    cfg.model, cfg.optim_wrapper = dict(type='ToySegmentor'), dict(optimizer=dict(type='SGD', lr=0))
    with pytest.raises(
        LaunchError, match=r'needs a model of sod_plugins\.CSNet and sod_plugins\.C'
    ):
        train(cfg, tmp_path / 'refused')
    assert not list((tmp_path / 'refused').glob('*.pth'))
    with pytest.raises(ValueError, match='either a threshold or a ratio'):
        PruningHook(begin=3)
    with pytest.raises(ValueError, match='finetune must be one of'):
        PruningHook(begin=3, ratio=0.5, finetune='all')


def test_a_threshold_too_high_leaves_a_checkpoint_to_go_on_from(pruned_config, tmp_path):
    cfg = pruned_config(threshold=9, ratio=None)
    with pytest.raises(LaunchError, match=r'all channels of backbone\.stages\.0\.0.*Resume from'):
        train(cfg, tmp_path / 'run')
    saved = tmp_path / 'run/before_pruning.pth'
    assert isinstance(load_network(saved), CSNet)
    _, done = train(pruned_config(), tmp_path / 'run', resume=saved)
    assert done['meta']['iter'] == 12


def test_two_processes_prune_alike(pruned_config, train_apart, tmp_path):
    cfg = pruned_config()
    cfg.train_dataloader.batch_size = 1
    cfg.dump(tmp_path / 'run.py')
    assert train_apart(tmp_path / 'run.py', '--work-dir', tmp_path, processes=2) == [0, 0]
    before, after = (load_network(tmp_path / f'{n}.pth') for n in ('before_pruning', 'iter_12'))
    expected = prune(before, ratio=0.5)
    assert after.backbone.block_widths == expected.backbone.block_widths
