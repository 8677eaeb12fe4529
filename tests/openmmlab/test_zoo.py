"""Models of the zoo in configs: as the start of a training, of a network or of its backbone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip('mmseg')

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from sod_plugins import zoo
from sod_plugins.networks import load_network
from sod_plugins.openmmlab import launch
from sod_plugins.openmmlab.errors import LaunchError
from sod_plugins.zoo import resolver

MODEL = Path(__file__).parents[2] / 'configs/_base_/models/sod_small.py'


@pytest.fixture
def config(toy_config):
    """A run of sod-small for one iteration at rate zero: all but the statistics stays."""
    cfg = toy_config()
    cfg.default_scope = 'mmseg'
    cfg.model = Config.fromfile(MODEL).model
    cfg.model.backbone.pop('init_cfg')
    cfg.load_from = 'zoo:sod-small'
    cfg.optim_wrapper.optimizer.lr = 0.0
    cfg.param_scheduler = []
    cfg.train_cfg.update(max_iters=1, val_interval=9)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.batch_size = 11
        loader.dataset.pipeline[-2].size = (64, 64)
    return cfg


def start(config, tmp_path, **options):
    config.dump(tmp_path / 'start.py')
    return launch.train(tmp_path / 'start.py', work_dir=tmp_path / 'work', **options)


def assert_same_weights(network):
    expected = dict(zoo.load('sod-small').named_parameters())
    weights = dict(network.named_parameters())
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, expected[name]), name


@pytest.mark.parametrize('resume', [None, 'auto'])
def test_a_training_begins_with_a_model(config, tmp_path, resume):
    """Also the first run of a command that would resume a later one."""
    start(config, tmp_path, resume=resume)
    assert_same_weights(load_network(tmp_path / 'work/iter_1.pth'))


def test_a_second_run_resumes_and_does_not_begin_anew(config, tmp_path):
    start(config, tmp_path, resume='auto')
    config.load_from = 'absent.pth'
    config.train_cfg.max_iters = 2
    assert start(config, tmp_path, resume='auto').iter == 2


def test_a_model_is_tested_by_its_name(config, tmp_path):
    config.dump(tmp_path / 'test.py')
    by_name = launch.test(tmp_path / 'test.py', 'zoo:sod-small', work_dir=tmp_path)
    path = zoo.find_model('sod-small')
    assert by_name == launch.test(tmp_path / 'test.py', path, work_dir=tmp_path)
    with pytest.raises(LaunchError, match=r"got 'sod-smal'\. Did you mean 'sod-small'"):
        launch.test(tmp_path / 'test.py', 'zoo:sod-smal', work_dir=tmp_path)


@pytest.mark.parametrize('part', ['model', 'backbone'])
def test_initialisation_takes_a_model(part):
    cfg = Config.fromfile(MODEL).model
    cfg.backbone.pop('init_cfg')
    init = {'type': 'Pretrained', 'checkpoint': 'zoo:sod-small'}
    if part == 'model':
        cfg.init_cfg = init
    else:
        cfg.backbone.init_cfg = {**init, 'prefix': 'backbone.'}
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg)
    model.init_weights()
    expected = zoo.load('sod-small')
    pairs = [(model.backbone.net, expected.backbone)]
    if part == 'model':
        pairs.append((model.decode_head.net, expected.decode_head))
    for found, wanted in pairs:
        found = found.state_dict()
        for name, value in wanted.state_dict().items():
            assert torch.equal(found[name], value), name


def test_another_file_is_refused(config, tmp_path, monkeypatch):
    monkeypatch.setattr(resolver, 'sha256_of', lambda path: '0' * 64)
    with pytest.raises(LaunchError, match=r'not the file of sod-small .* SHA-256 differs'):
        start(config, tmp_path)
