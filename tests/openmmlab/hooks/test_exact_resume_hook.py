from __future__ import annotations

import re
import signal

import pytest
import torch

pytest.importorskip('mmseg')

from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.errors import LaunchError


def train(config, folder, **kwargs):
    """Train in this process; a file name of its own keeps the runs' logs and counters apart."""
    folder.mkdir(exist_ok=True)
    path = folder / f'{folder.name}.py'
    config.dump(path)
    launch.train(path, work_dir=folder, **kwargs)
    return torch.load(folder / 'iter_12.pth', weights_only=False)


def assert_same(first, second):
    for name, weight in first['state_dict'].items():
        torch.testing.assert_close(second['state_dict'][name], weight, rtol=0, atol=0)
    for key, state in first['optimizer']['state'].items():
        for name, value in state.items():
            other = second['optimizer']['state'][key][name]
            torch.testing.assert_close(other, value, rtol=0, atol=0)
    assert first['meta']['epoch'] == second['meta']['epoch']
    assert first['meta']['iter'] == second['meta']['iter'] == 12


@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
def test_killed_run_ends_in_the_same_weights(by_epoch, toy_config, train_apart, tmp_path):
    """Kill -9 in the second epoch, go on from the middle of it: bitwise the same weights."""
    whole = train(toy_config(by_epoch), tmp_path / 'whole')
    for num_workers in (0, 2):
        config = toy_config(by_epoch, num_workers)
        config.custom_hooks = [dict(type='KillHook', after=11)]
        folder = tmp_path / f'workers{num_workers}'
        folder.mkdir()
        config.dump(folder / 'killed.py')
        assert train_apart(folder / 'killed.py', '--work-dir', folder) == [-signal.SIGKILL]
        assert (folder / 'last_checkpoint').read_text().endswith('iter_8.pth')
        assert not (folder / 'iter_12.pth').exists()

        config.pop('custom_hooks')
        assert_same(whole, train(config, folder, resume='auto'))


@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
def test_every_checkpoint_can_be_resumed(by_epoch, toy_config, tmp_path):
    """Also the one at the very end of the first epoch (6), before its validation."""
    config = toy_config(by_epoch)
    config.default_hooks.checkpoint.interval = 1
    whole = train(config, tmp_path / 'whole')
    for iteration in (1, 6, 7, 11):
        checkpoint = tmp_path / 'whole' / f'iter_{iteration}.pth'
        resumed = train(config, tmp_path / f'from{iteration}', resume=checkpoint)
        assert_same(whole, resumed)


def test_averaged_weights_are_resumed_exactly(toy_config, tmp_path):
    config = toy_config()
    average = dict(type='EMAHook', ema_type='ExponentialMovingAverage', momentum=0.1)
    config.custom_hooks = [dict(**average, update_buffers=True)]
    whole = train(config, tmp_path / 'whole')
    resumed = train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_4.pth')
    assert_same(whole, resumed)
    names = whole['ema_state_dict'].keys()
    assert any(name.startswith('module.') for name in names)
    for name in names:  # beside the averages, which are the checkpoint's weights, the trained ones
        torch.testing.assert_close(
            resumed['ema_state_dict'][name], whole['ema_state_dict'][name], rtol=0, atol=0
        )


def test_without_the_hook_the_weights_differ(toy_config, tmp_path):
    """The control: so the tests above could fail."""
    config = toy_config(by_epoch=False)
    whole = train(config, tmp_path / 'whole')
    del config.default_hooks.exact_resume
    resumed = train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_8.pth')
    weight = 'layers.0.weight'
    assert not torch.equal(whole['state_dict'][weight], resumed['state_dict'][weight])


def test_a_drawn_seed_is_kept(toy_config, tmp_path):
    """Without a seed in the config, or with one for each process, the sampler draws its own."""
    config = toy_config(by_epoch=True)
    config.randomness = dict(seed=None, diff_rank_seed=True)
    whole = train(config, tmp_path / 'whole')
    resumed = train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_8.pth')
    assert_same(whole, resumed)


def test_batches_keep_their_numbers(toy_config, tmp_path):
    """The log of a resumed epoch goes on at 3/6 and the next one starts at 1/6."""
    config = toy_config(by_epoch=True)
    config.train_cfg.max_epochs = 3
    config.train_cfg.val_interval = 9
    train(config, tmp_path / 'whole')
    train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_8.pth')
    (log,) = (tmp_path / 'resumed').glob('*/*.log')
    numbers = re.findall(r'\(train\) +\[\d\]\[(\d)/6\]', log.read_text())
    assert ''.join(numbers) == '3456' + '123456'


@pytest.mark.parametrize(
    ('by_epoch', 'change', 'message'),
    [
        (True, {'train_dataloader.batch_size': 3}, "'batch_size': 3"),
        (True, {'train_dataloader.sampler': {'type': 'DefaultSampler'}}, 'ResumableSampler'),
        (True, {'train_dataloader.sampler.infinite': True}, 'sampler.infinite=False'),
        (False, {'train_dataloader.sampler.infinite': False}, 'sampler.infinite=True'),
    ],
)
def test_what_cannot_be_resumed_is_refused(by_epoch, change, message, toy_config, tmp_path):
    config = toy_config(by_epoch)
    config.train_cfg.update(dict(max_epochs=2) if by_epoch else dict(max_iters=12))
    train(config, tmp_path / 'whole')
    if 'train_dataloader.sampler' in change:
        del config.train_dataloader.sampler
    config.merge_from_dict(change)
    with pytest.raises(LaunchError, match=message):
        train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_8.pth')


def test_other_batches_in_a_run_by_iterations_are_warned_of(toy_config, tmp_path):
    config = toy_config()
    train(config, tmp_path / 'whole')
    config.train_dataloader.batch_size = 3
    train(config, tmp_path / 'resumed', resume=tmp_path / 'whole' / 'iter_8.pth')
    (log,) = (tmp_path / 'resumed').glob('*/*.log')
    assert re.search(r"WARNING - The interrupted run had .*'batch_size': 2", log.read_text())
    (log,) = (tmp_path / 'whole').glob('*/*.log')
    assert 'interrupted run' not in log.read_text()
