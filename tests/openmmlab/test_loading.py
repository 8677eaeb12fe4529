"""What our runs read of checkpoints is data, and what does not fit is said before the run."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.logging import HistoryBuffer

from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks import CSNet, load_network, save_network
from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.openmmlab.loading import read_training_checkpoint

CANARY = []


class Malicious:
    def __reduce__(self):
        return exec, ('import test_loading; test_loading.CANARY.append(1)',)


@pytest.fixture
def config(toy_config):
    """Two steps of a narrow CSNet, a checkpoint after each."""
    cfg = toy_config()
    cfg.default_scope = 'mmseg'
    cfg.model = dict(
        type='sod_plugins.SaliencySegmentor',
        data_preprocessor=dict(
            type='SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size_divisor=1
        ),
        backbone=dict(type='sod_plugins.CSNet', width=0.4, stage_blocks=(1, 1, 1, 1)),
        decode_head=dict(type='sod_plugins.CSFHead', in_channels=(16, 32, 32)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    cfg.train_cfg.update(max_iters=2, val_interval=9)
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


@pytest.fixture
def trained(config, tmp_path):
    """Train, and return the checkpoint after one step and what changes it."""
    config.dump(tmp_path / 'run.py')
    launch.train(tmp_path / 'run.py', work_dir=tmp_path)
    return tmp_path / 'iter_1.pth'


def change(path, **values):
    """Write a checkpoint anew with other values, the others as they are."""
    content = torch.load(path, weights_only=False) | values
    changed = path.with_name('changed.pth')
    torch.save(content, changed)
    return changed


def refusal(path, **options):
    with pytest.raises(LaunchError) as stop:
        launch.train(path.with_name('run.py'), work_dir=path.parent / 'again', **options)
    return str(stop.value)


def test_nothing_in_a_checkpoint_is_run(config, trained):
    folder = trained.parent
    content = torch.load(trained, weights_only=False)
    meta = {**content['meta'], 'config': 'import test_loading; test_loading.CANARY.append(1)'}
    evil = change(trained, extra=Malicious(), meta=meta)
    run = folder / 'run.py'
    launch.test(run, evil, work_dir=folder / 'test')
    launch.train(run, work_dir=folder / 'again', resume=evil)
    config.load_from = str(evil)
    config.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint=str(evil), prefix='backbone.'
    )
    config.dump(folder / 'start.py')
    launch.train(folder / 'start.py', work_dir=folder / 'start')
    assert load_network(evil) is not None
    assert CANARY == []
    whole, again = (read_checkpoint(folder / n) for n in ('iter_2.pth', 'again/iter_2.pth'))
    for name, weight in whole['state_dict'].items():
        assert torch.equal(again['state_dict'][name], weight), name


def test_a_resumed_run_keeps_its_log(trained):
    log = read_training_checkpoint(trained)['message_hub']['log_scalars']['train/loss']
    assert isinstance(log, HistoryBuffer) and len(log.data[0]) == 1
    folder = trained.parent
    launch.train(folder / 'run.py', work_dir=folder / 'again', resume=trained)
    log = read_training_checkpoint(folder / 'again/iter_2.pth')['message_hub']['log_scalars']
    assert len(log['train/loss'].data[0]) == 2


def test_what_no_training_can_go_on_from_is_said(config, trained):
    folder = trained.parent
    save_network(folder / 'net.pth', load_network(trained))
    message = refusal(trained, resume=folder / 'net.pth')
    assert 'net.pth' in message and 'without the state of its training' in message
    other = {'model.backbone.width': 0.6, 'model.decode_head.in_channels': (24, 48, 48)}
    assert 'does not fit' in refusal(trained, resume=trained, options=other)
    content = torch.load(trained, weights_only=False)
    broken = {**content['state_dict']}
    broken['decode_head.net.classifier.bias'] = torch.full((1,), float('nan'))
    assert 'NaN' in refusal(trained, resume=change(trained, state_dict=broken))
    state = {**content['optimizer'], 'param_groups': []}
    assert 'its state does not fit' in refusal(trained, resume=change(trained, optimizer=state))


@pytest.mark.parametrize(
    'entry',
    [
        {'decode_head': {'loss_decode': {'type': 'ToyLoss'}}},
        {'backbone': {'block_widths': [[2, 2]]}, 'decode_head': {'type': 'ToyHead'}},
        ['backbone'],
        {
            'backbone': {'block_widths': [[4], {'type': 'X'}]},
            'decode_head': {
                'in_channels': [4],
                'fuse_channels': [4],
                'dilated_channels': [[1]],
                'channels': 3,
            },
        },
    ],
)
def test_a_pruning_entry_is_numbers_of_channels(trained, entry):
    evil = change(trained, pruned_model=entry)
    assert 'something other than numbers of channels' in refusal(trained, resume=evil)


def test_safetensors_can_be_tested(trained):
    folder = trained.parent
    network = load_network(trained)
    assert isinstance(network, CSNet)
    save_network(folder / 'net.safetensors', network)
    measures = [
        launch.test(folder / 'run.py', folder / name, work_dir=folder / 'test')
        for name in ('iter_1.pth', 'net.safetensors')
    ]
    assert measures[0] == measures[1]
