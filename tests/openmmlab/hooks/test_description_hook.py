from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import ConfigDict
from mmengine.runner import Runner

from sod_plugins.checkpoints.reading import DESCRIPTION, read_checkpoint
from sod_plugins.networks import Preprocessing, load_network, save_network
from sod_plugins.openmmlab import launch
from sod_plugins.ops import resize_bilinear

HOOK = dict(type='sod_plugins.DescriptionHook')


@pytest.fixture
def config(toy_config):
    """One step of a narrow CSNet."""
    cfg = toy_config()
    cfg.default_scope = 'mmseg'
    cfg.model = ConfigDict(
        type='sod_plugins.SaliencySegmentor',
        data_preprocessor=dict(
            type='SegDataPreProcessor',
            mean=[123.675, 116.28, 103.53],
            std=[60.0] * 3,
            size_divisor=1,
        ),
        backbone=dict(type='sod_plugins.CSNet', width=0.4, stage_blocks=(1, 1, 1, 1)),
        decode_head=dict(type='sod_plugins.CSFHead', in_channels=(16, 32, 32)),
        train_cfg=dict(),
        test_cfg=dict(mode='whole'),
    )
    cfg.train_cfg.update(max_iters=1, val_interval=9)
    cfg.default_hooks.checkpoint.interval = 1
    return cfg


def without_text(path):
    """Leave of a checkpoint what describes its network, and its weights."""
    content = read_checkpoint(path)
    torch.save({k: content[k] for k in (DESCRIPTION, 'state_dict')}, path)


def test_a_run_of_ours_describes_the_live_modules(config, tmp_path):
    config.dump(tmp_path / 'run.py')
    runner = launch.train(tmp_path / 'run.py', work_dir=tmp_path)
    without_text(tmp_path / 'iter_1.pth')
    network = load_network(tmp_path / 'iter_1.pth')
    assert network.preprocessing == Preprocessing((16, 16), std=(60.0,) * 3)
    images = torch.randn(1, 3, 16, 16)
    model = runner.model.eval()
    expected = resize_bilinear(model.decode_head(model.backbone(images)), (16, 16))
    torch.testing.assert_close(network(images), expected, rtol=0, atol=0)
    save_network(tmp_path / 'net.safetensors', network)
    again = load_network(tmp_path / 'net.safetensors')
    assert (again.arguments, again.preprocessing) == (network.arguments, network.preprocessing)
    assert torch.equal(again(images), network(images))


def test_the_host_s_own_runner_describes_too(config, tmp_path):
    config.work_dir = str(tmp_path)
    config.default_hooks.description = HOOK
    Runner.from_cfg(config).train()
    without_text(tmp_path / 'iter_1.pth')
    assert load_network(tmp_path / 'iter_1.pth').arguments['width'] == 0.4


@pytest.mark.parametrize(
    ('part', 'values', 'reason'),
    [
        ('decode_head', dict(norm_cfg=dict(type='BN', eps=1e-3)), 'eps=0.001'),
        (
            'backbone',
            dict(
                _delete_=True,
                type='mmseg.ResNet',
                depth=18,
                base_channels=4,
                stem_channels=4,
                num_stages=3,
                strides=(1, 2, 2),
                dilations=(1, 1, 1),
                out_indices=(0, 1, 2),
            ),
            'ResNet, CSFDecoder together make no network',
        ),
    ],
)
def test_what_is_no_network_of_ours_gets_no_description(config, part, values, reason, tmp_path):
    if values.pop('_delete_', False):
        config.model[part] = values
        config.model.decode_head.in_channels = (4, 8, 16)
    else:
        config.model[part].update(values)
    config.dump(tmp_path / 'run.py')
    launch.train(tmp_path / 'run.py', work_dir=tmp_path)
    assert DESCRIPTION not in read_checkpoint(tmp_path / 'iter_1.pth')
    (log,) = tmp_path.glob('*/*.log')
    (line,) = (t for t in log.read_text().splitlines() if 'will not describe their network' in t)
    assert reason in line
