"""Hooks, solver, checkpoints and the trainer of the detectron2 adapter."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip('detectron2.engine', exc_type=ImportError)

from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import build_model

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import load_network
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.cli import main
from sod_plugins.optim import DynamicWeightDecay
from sod_plugins.optim.schedules import step_poly_factor

ROOT = Path(__file__).parents[3]


@pytest.fixture
def config(scenes, tmp_path):
    """Six steps of a narrow CSNet."""
    for name in ('toy-train', 'toy-test'):
        DatasetCatalog.pop(name, None)
        MetadataCatalog.pop(name, None)
    cfg = get_cfg()
    adapter.add_sod_plugins_config(cfg)
    cfg.merge_from_file(str(ROOT / 'configs/detectron2/csnet-x1_1xb24-300e_duts-224x224.yaml'))
    adapter.register_saliency_dataset('toy-train', scenes / 'train')
    adapter.register_saliency_dataset('toy-test', scenes / 'test')
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = ('toy-train',), ('toy-test',)
    cfg.MODEL.DEVICE = 'cpu'
    cfg.DATALOADER.NUM_WORKERS = 0
    cfg.SOLVER.IMS_PER_BATCH, cfg.SOLVER.MAX_ITER, cfg.SOLVER.STEPS = 2, 6, (4,)
    cfg.SOLVER.BASE_LR = 1e-3
    cfg.SOLVER.CHECKPOINT_PERIOD = 3
    cfg.TEST.EVAL_PERIOD = 0
    cfg.SOD.INPUT_SIZE = (32, 48)
    cfg.SOD.TRANSFORMS = [{'type': 'ResizeSaliency', 'size': [32, 48]}]
    cfg.SOD.BACKBONE.stage_blocks = [1, 1, 1, 1]
    cfg.OUTPUT_DIR = str(tmp_path / 'run')
    Path(cfg.OUTPUT_DIR).mkdir()
    return cfg


def train(cfg, resume=False):
    trainer = adapter.Trainer(cfg)
    trainer.resume_or_load(resume)
    trainer.train()
    return trainer


def test_dynamic_weight_decay_is_that_of_a_plain_training(config):
    """The same steps by the rule itself on the same model and batches."""
    trainer = adapter.Trainer(config)
    trainer.resume_or_load(False)
    model = copy.deepcopy(trainer.model)
    batches = iter(adapter.Trainer.build_train_loader(config))
    rule = DynamicWeightDecay(model)
    optimizer = torch.optim.Adam(
        rule.parameter_groups(config.SOLVER.WEIGHT_DECAY), lr=1e-3, betas=(0.9, 0.99)
    )
    rule.attach(optimizer)
    for step in range(6):
        for group in optimizer.param_groups:
            group['lr'] = 1e-3 if step < 4 else 1e-4
        optimizer.zero_grad()
        sum(model(next(batches)).values()).backward()
        optimizer.step()
    rule.detach()
    trainer.train()
    for (name, value), expected in zip(
        trainer.model.named_parameters(), model.parameters(), strict=True
    ):
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6, msg=name)


def test_groups_keep_standard_decay_off_what_is_decayed_dynamically(config):
    model = build_model(config)
    gammas = {id(gamma) for gamma in DynamicWeightDecay(model).gammas.values()}
    groups = adapter.build_optimizer(config, model).param_groups
    decays = {id(p): group['weight_decay'] for group in groups for p in group['params']}
    assert len(decays) == len(list(model.parameters()))
    assert {decay for key, decay in decays.items() if key in gammas} == {0.0}
    assert {decay for key, decay in decays.items() if key not in gammas} == {0.005}
    assert all(group['betas'] == (0.9, 0.99) for group in groups)


def test_a_backbone_learns_slower(config):
    config.SOD.BACKBONE_LR_FACTOR = 0.1
    model = build_model(config)
    groups = adapter.build_optimizer(config, model).param_groups
    rates = {id(p): group['lr'] for group in groups for p in group['params']}
    for name, parameter in model.named_parameters():
        expected = 1e-4 if name.startswith('backbone.') else 1e-3
        assert rates[id(parameter)] == pytest.approx(expected)


@pytest.mark.parametrize(
    ('change', 'message'),
    [({'type': 'Adamm'}, "no optimizer 'Adamm'"), ({'type': 'SGD', 'betas': [0, 0]}, 'betas')],
)
def test_a_wrong_optimizer_is_named(config, change, message):
    config.SOD.OPTIMIZER.clear()
    config.SOD.OPTIMIZER.update(change)
    with pytest.raises(ValueError, match=message):
        adapter.build_optimizer(config, build_model(config))


def test_samnet_s_schedule():
    schedule = adapter.StepPolyParamScheduler(epochs=10, interval=5)
    wheres = np.linspace(0, 1, 101)[:-1]
    expected = [step_poly_factor(int(w * 10 + 1e-9), 5, 10) for w in wheres]
    np.testing.assert_allclose([schedule(w + 1e-12) for w in wheres], expected)
    with pytest.raises(ValueError, match='interval must divide'):
        adapter.StepPolyParamScheduler(epochs=10, interval=3)


def test_a_resume_is_exact_and_refuses_another_batch_size(config):
    straight = train(config).model.state_dict()
    (Path(config.OUTPUT_DIR) / 'last_checkpoint').write_text('model_0000002.pth')
    resumed = train(config, resume=True).model.state_dict()
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name
    (Path(config.OUTPUT_DIR) / 'last_checkpoint').write_text('model_0000002.pth')
    config.SOLVER.IMS_PER_BATCH = 4
    with pytest.raises(ValueError, match="'batch_size': 2"):
        train(config, resume=True)


def test_pruning_and_a_resume_on_either_side_of_it(config, tmp_path):
    config.SOD.PRUNING.enabled, config.SOD.PRUNING.begin = True, 4
    config.SOD.PRUNING.ratio, config.SOD.PRUNING.at_least = 0.5, 1
    config.SOLVER.CHECKPOINT_PERIOD = 1
    folder = Path(config.OUTPUT_DIR)
    straight = train(config).model.state_dict()
    before, after = (
        sum(v.numel() for v in load_network(folder / name).parameters())
        for name in ('before_pruning.pth', 'model_final.pth')
    )
    assert after < before
    for name in ('model_0000002.pth', 'model_0000004.pth'):
        (folder / 'last_checkpoint').write_text(name)
        resumed = train(config, resume=True).model.state_dict()
        assert resumed.keys() == straight.keys()
        for key, value in straight.items():
            assert torch.equal(value, resumed[key]), (name, key)


def test_the_trainer_registers_the_data_sets_of_its_config(config, scenes):
    """Each config's own, also where another one had listed the name; but none of the user's."""
    for name in ('toy-listed', 'toy-own'):
        DatasetCatalog.pop(name, None)
        MetadataCatalog.pop(name, None)
    adapter.register_saliency_dataset('toy-own', scenes / 'test')
    for split, count in (('train', 8), ('test', 3)):
        entry = {'kind': 'saliency', 'root': str(scenes / split)}
        config.SOD.DATASETS = [{'name': name, **entry} for name in ('toy-listed', 'toy-own')]
        config.DATASETS.TRAIN = ('toy-listed',)
        adapter.Trainer(config)
        assert len(DatasetCatalog.get('toy-listed')) == count
        assert len(DatasetCatalog.get('toy-own')) == 3


def test_sod_predict_takes_a_checkpoint_trained_here(config, scenes, tmp_path, capsys):
    train(config)
    checkpoint = Path(config.OUTPUT_DIR) / 'model_final.pth'
    words = ['predict', '--checkpoint', str(checkpoint), str(scenes / 'test/images')]
    assert main([*words, '--out', str(tmp_path / 'maps')]) == 0, capsys.readouterr().err
    assert len(list((tmp_path / 'maps').glob('*.png'))) == 3
    measures = adapter.Trainer.test(config, adapter.Trainer(config).model.eval())
    assert 0 <= measures['saliency']['mae'] <= 1


def test_checkpoints_are_read_as_data(config, tmp_path):
    """What a pickle would run is not run; torch.load, as a control, runs it."""
    model = build_model(config)
    bomb, proof = tmp_path / 'bomb.pth', tmp_path / 'exploded'
    torch.save({'model': model.state_dict(), 'trainer': Bomb(proof)}, bomb)
    adapter.Checkpointer(model).load(str(bomb), checkpointables=[])
    assert not proof.exists()
    config.MODEL.WEIGHTS = str(bomb)
    adapter.Trainer(config).resume_or_load(resume=False)
    (Path(config.OUTPUT_DIR) / 'last_checkpoint').write_text(str(bomb))
    with pytest.raises((TypeError, ValueError, AttributeError, KeyError)):
        adapter.Trainer(config).resume_or_load(resume=True)  # its trainer's state is none
    assert not proof.exists()
    torch.load(bomb, weights_only=False)
    assert proof.exists()


class Bomb:
    """Makes a folder where it is unpickled."""

    def __init__(self, proof):
        self.proof = str(proof)

    def __reduce__(self):
        return os.mkdir, (self.proof,)


@pytest.mark.parametrize('name', ['absent.pth', 'absent.pth?matching_heuristics=True'])
def test_a_checkpoint_that_is_not_there_is_named(config, name):
    with pytest.raises(FileNotFoundError, match="There is no checkpoint 'absent"):
        adapter.Checkpointer(build_model(config)).load(name)


def test_a_checkpoint_of_another_model_is_refused(config, tmp_path):
    checkpointer = adapter.Checkpointer(build_model(config), str(tmp_path))
    checkpointer.save('narrow')
    config.SOD.BACKBONE.width = 2.0
    with pytest.raises(ValueError, match='does not fit the model'):
        adapter.Checkpointer(build_model(config)).load(str(tmp_path / 'narrow.pth'))


def two_processes(tool, config, *words, cwd):
    command = [
        sys.executable,
        '-W',
        'ignore',
        ROOT / 'tools' / tool,
        config,
    ]
    done = subprocess.run(
        [*map(str, command), '--num-processes', '2', *map(str, words)],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=500,
        env={**os.environ, 'PYTHONPATH': str(ROOT), 'OMP_NUM_THREADS': '1'},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize('method', ['csnet', 's4net'])
def test_two_processes_by_launch(method, scenes, tmp_path):
    """Two processes of one image each train, resume and test."""
    from d2_configs import ALL, options_of

    (config,) = (p for p in ALL if p.stem.startswith(method) and p.suffix == '.yaml')
    own = ['--cfg-options', *options_of(config, scenes), 'SOLVER.MAX_ITER=6']
    two_processes('train.py', config, '--work-dir', tmp_path / 'run', *own, cwd=tmp_path)
    straight = read_checkpoint(tmp_path / 'run/model_final.pth')
    (tmp_path / 'run/last_checkpoint').write_text('model_0000004.pth')
    words = ['--work-dir', tmp_path / 'run', '--resume', *own]
    two_processes('train.py', config, *words, cwd=tmp_path)
    again = read_checkpoint(tmp_path / 'run/model_final.pth')
    for name, value in straight['model'].items():
        assert torch.equal(value, again['model'][name]), name
    checkpoint = tmp_path / 'run/model_final.pth'
    words = [checkpoint, '--work-dir', tmp_path / 'test', *own]
    two_processes('test.py', config, *words, cwd=tmp_path)
    both = (tmp_path / 'test/test_results.json').read_text()
    command = [sys.executable, '-W', 'ignore', ROOT / 'tools/test.py', config]
    subprocess.run([*map(str, [*command, *words])], check=True, capture_output=True)
    assert (tmp_path / 'test/test_results.json').read_text() == both
