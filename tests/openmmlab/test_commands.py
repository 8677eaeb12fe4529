from __future__ import annotations

import os
import re
import signal

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmseg')

from toy_host import ToySegmentor

from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.commands import test_command as run_test_command
from sod_plugins.openmmlab.commands import train_command


def error_of(capsys, status, expected_status=2):
    """Return the last line of the errors, after checking that no traceback was printed."""
    assert status == expected_status
    errors = capsys.readouterr().err
    assert 'Traceback' not in errors
    return errors.strip().splitlines()[-1]


def test_bad_input_is_one_sentence(toy_config, photos, tmp_path, capsys):
    config = toy_config()
    path = tmp_path / 'toy.py'
    config.dump(path)
    status = train_command(['absent.py'])
    assert error_of(capsys, status) == (
        "train.py: error: There is no config 'absent.py': "
        'name a file, or one that sod configs lists.'
    )
    status = run_test_command([str(path), 'absent.pth'])
    assert error_of(capsys, status) == (
        "test.py: error: There is no checkpoint 'absent.pth': correct the path."
    )
    status = train_command([str(path), '--cfg-options', 'modle.type=A'])
    assert error_of(capsys, status).endswith("did you mean 'model'?")


@pytest.mark.parametrize(
    ('option', 'reason'),
    [
        ('optim_wrapper.optimizer.type=Adamm', "optimizer 'Adamm' .* mean 'Adam"),
        ('param_scheduler.0.type=Nix', "does not fit in 'Nix'"),
        ('optim_wrapper.optimizer.lr=-1', 'Invalid learning rate: -1'),
        ('optim_wrapper.optimizer.foo=1', "unexpected keyword argument 'foo'"),
        ('model.type=sod_plugins.Nix', "'?sod_plugins.Nix"),
        ('model=None', 'got None'),
        ('train_dataloader.batch_size=0', 'batch_size=0'),
        ('train_dataloader.num_workers=-1', 'non-negative'),
        ('train_dataloader.sampler.type=Nix', 'Nix is not in the mm'),
        ('train_dataloader.dataset.pipeline.0.type=Nix', 'Nix is not in the mm'),
        ('train_dataloader=None', 'all None or not None'),
        ('val_evaluator.type=Nix', 'Nix is not in the mm'),
        ('train_cfg.max_iters=0', 'train_cfg.max_iters is 0'),
        ('train_cfg.max_iters=many', "'many'"),
    ],
)
def test_impossible_settings_are_one_sentence(option, reason, toy_config, tmp_path, capsys):
    config = toy_config()
    path = tmp_path / 'toy.py'
    config.dump(path)
    words = [str(path), '--work-dir', str(tmp_path / 'work'), '--cfg-options', option]
    error = error_of(capsys, train_command(words))
    assert re.search(reason, error), error
    assert error.startswith('train.py: error: ') and 'More details' not in error
    if 'does not fit' in error:
        assert f"The config '{path}' does not fit" in error
        written = (tmp_path / 'work/failed_start.txt').read_text()
        assert written.startswith('Traceback') and len(written.splitlines()) > 10
    assert not list(tmp_path.rglob('*.pth'))


def test_parts_that_do_not_fit_each_other_are_one_sentence(
    toy_config, tmp_path, monkeypatch, capsys
):
    config = toy_config()
    config.dump(tmp_path / 'toy.py')
    monkeypatch.setattr(ToySegmentor, 'forward', lambda *_, **__: torch.ones(2) @ torch.ones(3))
    status = train_command([str(tmp_path / 'toy.py'), '--work-dir', str(tmp_path / 'work')])
    assert 'does not fit: RuntimeError: ' in error_of(capsys, status)


def test_a_fault_of_the_network_keeps_its_traceback(toy_config, tmp_path, monkeypatch):
    """After the first batch it is code that fails, of which a sentence would hide where."""
    config = toy_config()
    config.dump(tmp_path / 'toy.py')
    forward, calls = ToySegmentor.forward, []

    def failing(*args, **kwargs):
        calls.append(1)
        return forward(*args, **kwargs) if len(calls) < 2 else 1 / 0

    monkeypatch.setattr(ToySegmentor, 'forward', failing)
    with pytest.raises(ZeroDivisionError):
        train_command([str(tmp_path / 'toy.py'), '--work-dir', str(tmp_path / 'work')])


@pytest.mark.parametrize('option', ['lr', 'lr=[(1,2'])
def test_malformed_options_are_refused(option, capsys):
    with pytest.raises(SystemExit) as stopped:
        train_command(['toy.py', '--cfg-options', option])
    assert 'KEY=VALUE' in error_of(capsys, stopped.value.code)


def test_bad_data_stops_before_training(toy_config, photos, tmp_path, capsys):
    config = toy_config()
    config.val_dataloader.dataset.data_root = str(photos / 'images')
    path = tmp_path / 'toy.py'
    config.dump(path)
    status = train_command([str(path), '--work-dir', str(tmp_path)])
    assert f"No known layout in '{photos / 'images'}'" in error_of(capsys, status)
    assert not list(tmp_path.glob('*.pth'))


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interruption_is_one_line(monkeypatch, capsys, number):
    def interrupt(*args, **kwargs):
        os.kill(os.getpid(), number)
        signal.pause()

    monkeypatch.setattr('sod_plugins.openmmlab.commands.train', interrupt)
    assert train_command(['c.py']) == 128 + number
    assert capsys.readouterr().err == ('train.py: interrupted; --resume goes on with a training\n')


def test_words_reach_the_functions(monkeypatch):
    calls = []
    for name in ('train', 'test'):
        monkeypatch.setattr(
            f'sod_plugins.openmmlab.commands.{name}',
            lambda *args, **kwargs: calls.append((args, kwargs)),
        )
    words = ['--work-dir', 'w', '--cfg-options', 'a.b=1', 'c=[2,3]', '--launcher', 'mpi']
    common = {'work_dir': 'w', 'options': {'a.b': 1, 'c': [2, 3]}, 'launcher': 'mpi'}
    assert train_command(['c.py', '--amp', '--resume', '--local_rank=0', *words]) == 0
    assert train_command(['c.py', '--channels-last', '--resume', 'old.pth']) == 0
    assert (
        run_test_command(['c.py', 'x.pth', '--out', 'o', '--show-dir', 's', '--crf', *words]) == 0
    )
    nothing = {'work_dir': None, 'options': None, 'launcher': 'none'}
    assert calls == [
        (('c.py',), {'resume': 'auto', 'amp': True, 'channels_last': False, **common}),
        (('c.py',), {'resume': 'old.pth', 'amp': False, 'channels_last': True, **nothing}),
        (('c.py', 'x.pth'), {'out_dir': 'o', 'show_dir': 's', 'crf': True, **common}),
    ]


def test_a_command_leaves_its_group_of_processes(monkeypatch):
    """Gloo's threads abort now and then a process that ends within a group."""
    distributed = torch.distributed
    monkeypatch.setattr(
        'sod_plugins.openmmlab.commands.train',
        lambda *args, **kwargs: distributed.init_process_group(
            'gloo', store=distributed.HashStore(), rank=0, world_size=1
        ),
    )
    assert train_command(['c.py']) == 0
    assert not distributed.is_initialized()


@pytest.mark.slow
def test_two_processes_train_and_test_as_one(toy_config, run_tool, tmp_path):
    """Without an accelerator: half batches on two gloo processes are one whole batch."""
    config = toy_config()
    config.model.plain = True
    config.test_dataloader.batch_size = 1
    config.custom_hooks = [dict(type='RecordHook')]
    path = tmp_path / 'single.py'
    config.dump(path)
    launch.train(path, work_dir=tmp_path / 'single')

    words = ['--work-dir', tmp_path / 'double']
    options = ['--cfg-options', 'train_dataloader.batch_size=1']
    done = run_tool('train', path, *words, *options)
    assert done.returncode == 0, done.stderr
    single = torch.load(tmp_path / 'single' / 'rank0.pth')
    first, second = (torch.load(tmp_path / 'double' / f'rank{rank}.pth') for rank in (0, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    # Sums in another order: 1e-7 each step, which Adam's division by small roots enlarges.
    torch.testing.assert_close(first, single, rtol=0, atol=1e-4)
    assert (single[-1] - single[0]).abs().max() > 1e-2

    checkpoint = tmp_path / 'double' / 'iter_12.pth'
    done = run_tool('test', path, checkpoint, *words, '--out', tmp_path / 'pair')
    assert done.returncode == 0, done.stderr
    launch.test(path, checkpoint, work_dir=tmp_path / 'single', out_dir=tmp_path / 'alone')
    for name in ('measures.json', 'per_image.csv'):
        assert (tmp_path / 'pair' / name).read_text() == (tmp_path / 'alone' / name).read_text()
    maps = sorted((tmp_path / 'alone' / 'maps').iterdir())
    assert len(maps) == 11
    for file in maps:
        np.testing.assert_array_equal(
            np.asarray(Image.open(file)), np.asarray(Image.open(tmp_path / 'pair/maps' / file.name))
        )


def test_two_processes_resume_exactly(toy_config, train_apart, tmp_path):
    """With BatchNorm and dropout, whose random states differ between the processes."""
    config = toy_config(by_epoch=True)
    config.train_dataloader.batch_size = 1
    config.custom_hooks = [dict(type='RecordHook')]
    path = tmp_path / 'toy.py'
    config.dump(path)
    for name, extra in (('whole', []), ('resumed', ['--resume', tmp_path / 'whole/iter_8.pth'])):
        words = [path, '--work-dir', tmp_path / name, *extra]
        assert train_apart(*words, processes=2) == [0, 0]
    for rank in (0, 1):
        whole = torch.load(tmp_path / 'whole' / f'rank{rank}.pth')
        resumed = torch.load(tmp_path / 'resumed' / f'rank{rank}.pth')
        assert (len(whole), len(resumed)) == (12, 4)
        torch.testing.assert_close(resumed, whole[8:], rtol=0, atol=0)
