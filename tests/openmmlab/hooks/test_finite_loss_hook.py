from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip('mmseg')

from mmengine.config import Config

from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.openmmlab.commands import train_command

CONFIGS = Path(__file__).parents[3] / 'configs'


@pytest.fixture
def train(toy_config, tmp_path, capsys):
    """Return a function that trains a toy and gives exit status, words, and the checkpoints."""

    def run(by_epoch=False, **changes):
        cfg = toy_config(by_epoch)
        cfg.merge_from_dict(changes)
        cfg.dump(tmp_path / 'run.py')
        status = train_command([str(tmp_path / 'run.py'), '--work-dir', str(tmp_path)])
        return status, capsys.readouterr().err, sorted(p.stem for p in tmp_path.glob('*.pth'))

    return run


def finite(path):
    weights = read_checkpoint(path)['state_dict'].values()
    return all(value.isfinite().all() for value in weights if value.is_floating_point())


@pytest.mark.parametrize('by_epoch', [False, True])
def test_a_loss_of_nan_ends_the_training_and_names_its_files(train, tmp_path, by_epoch):
    """The weights of the sixth iteration are spoilt, where no checkpoint is due."""
    spoil = dict(type='SpoilHook', after=6 if not by_epoch else 5)
    status, words, checkpoints = train(by_epoch, custom_hooks=[spoil])
    assert status == 1
    assert f'The training diverged in iteration {7 - by_epoch}: loss became nan' in words
    assert 'images/' in words and words.count('.png') == 2 - by_epoch  # of 11, an epoch's last
    assert checkpoints == ['iter_4'] and finite(tmp_path / 'iter_4.pth')
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_4.pth')


def test_weights_that_no_loss_has_met_are_not_saved(train, tmp_path):
    """They are spoilt right before a checkpoint, of which the run keeps one."""
    keep = {'default_hooks.checkpoint.max_keep_ckpts': 1}
    status, words, checkpoints = train(custom_hooks=[dict(type='SpoilHook', after=8)], **keep)
    assert status == 1
    assert 'diverged in iteration 8: layers.0.weight' in words
    assert checkpoints == ['iter_4'] and finite(tmp_path / 'iter_4.pth')


def test_an_absurd_learning_rate_leaves_a_good_checkpoint(train, tmp_path):
    status, words, checkpoints = train(
        **{
            'optim_wrapper.optimizer': dict(type='SGD', lr=1e-3, _delete_=True),
            'param_scheduler': [dict(type='LinearLR', start_factor=1.0, end_factor=1.0, end=1)],
            'default_hooks.checkpoint.interval': 1,
            'model.plain': True,
            'custom_hooks': [dict(type='SpoilHook', after=3, rate=1e30)],
        }
    )
    assert status == 1 and 'The training diverged in iteration' in words
    assert checkpoints and all(finite(tmp_path / f'{name}.pth') for name in checkpoints)


def test_a_training_that_does_not_diverge_goes_on(train):
    status, _, checkpoints = train()
    assert status == 0 and checkpoints == ['iter_12', 'iter_4', 'iter_8']


def test_every_config_has_the_hook():
    leaves = [
        path for path in CONFIGS.glob('*/*.py') if path.parent.name not in ('_base_', 'detectron2')
    ]
    for path in leaves:
        hooks = Config.fromfile(path).default_hooks
        assert hooks['finite_loss'] == {'type': 'sod_plugins.FiniteLossHook'}, path
    assert len(leaves) > 60
