"""The words of detectron2's commands: what they change, and what they refuse in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from d2_configs import ALL, options_of
from PIL import Image

pytest.importorskip('detectron2.engine', exc_type=ImportError)

from detectron2.config import LazyConfig

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import load_network
from sod_plugins.cli import main
from sod_plugins.cli.train_test import run_host_command
from sod_plugins.detectron2 import commands, trainer
from sod_plugins.detectron2.config_files import load_config, set_precision

CSNET = {path.suffix: path for path in ALL if path.stem.startswith('csnet')}
S4NET = {path.suffix: path for path in ALL if path.stem.startswith('s4net')}
LAZY = """from detectron2.config import LazyCall as L
model = dict()
optimizer = dict()
lr_multiplier = dict()
dataloader = dict()
train = dict(output_dir='')
"""


def refused(capsys, name, *words):
    """Run a command that ends with status 2, and return its one sentence."""
    try:
        status = run_host_command(name, [str(word) for word in words], 'tool')
    except SystemExit as error:  # of the parser
        status = error.code
    assert status == 2
    errors = capsys.readouterr().err
    assert 'Traceback' not in errors
    return errors.strip().splitlines()[-1]


@pytest.mark.parametrize(
    'hooks',
    [
        'hooks = [dict()]',
        'hooks = list((dict(),))',
        'from ._hooks import hooks',
        'hooks: list = []',
    ],
)
def test_hooks_that_are_no_dict_are_refused(hooks, tmp_path, capsys):
    (tmp_path / '_hooks.py').write_text('hooks = [dict()]\n')
    (tmp_path / 'mine.py').write_text(f'{LAZY}{hooks}\n')
    error = refused(capsys, 'train_command', tmp_path / 'mine.py')
    assert 'mine.py' in error and 'hooks must be a dict of names and hooks' in error


def test_a_module_called_hooks_is_no_section(tmp_path):
    (tmp_path / 'mine.py').write_text(f'from detectron2.engine import hooks\n{LAZY}')
    assert 'hooks' not in load_config(tmp_path / 'mine.py')


def test_absent_sections_are_named(tmp_path, capsys):
    text = LAZY.replace('model = dict()\n', '').replace('lr_multiplier = dict()', 'lr_multiplier=1')
    (tmp_path / 'mine.py').write_text(text)
    assert 'it has no model, lr_multiplier, each a dict' in refused(
        capsys, 'train_command', tmp_path / 'mine.py'
    )


@pytest.mark.parametrize('suffix', ['.py', '.yaml'])
@pytest.mark.parametrize(
    ('command', 'words', 'reason'),
    [
        ('train', ['--launcher', 'pytorch'], '--launcher is for configs of OpenMMLab'),
        ('train', ['--num-processes', '0'], '--num-processes is 1 or more'),
        ('train', ['--num-machines', '2'], 'needs the same --dist-url'),
        ('train', ['--cfg-options', 'a'], "pairs of the form KEY=VALUE, got 'a'"),
        ('test', ['absent.pth'], "There is no checkpoint 'absent.pth': correct the path."),
    ],
)
def test_words_that_cannot_be(suffix, command, words, reason, scenes, tmp_path, capsys):
    own = [] if '--cfg-options' in words else ['--cfg-options', *options_of(CSNET[suffix], scenes)]
    config = [CSNET[suffix], '--work-dir', tmp_path / 'run']
    assert reason in refused(capsys, f'{command}_command', *config, *words, *own)


@pytest.mark.parametrize(
    ('suffix', 'option', 'reason'),
    [
        ('.yaml', 'SOLVER.MAX_ITERR=2', 'Non-existent key: SOLVER.MAX_ITERR'),
        ('.yaml', 'SOD.BACKBONE.widht=2', "CSNet got an unexpected keyword argument 'widht'"),
        ('.yaml', 'SOD.HEAD.widht=2', "CSFHead got an unexpected keyword argument 'widht'"),
        ('.yaml', 'SOD.EVALUATOR.protocoll=x', 'SaliencyEvaluator: got an unexpected keyword'),
        ('.yaml', 'SOD.PRUNING.enabeld=True', "unexpected keyword argument 'enabeld'"),
        ('.yaml', 'MODEL.BACKBONE.NAME=CSNett', "No object named 'CSNett' found in 'BACKBONE'"),
        ('.yaml', "DATASETS.TRAIN=('absent',)", "The data set 'absent' is not registered by"),
        ('.py', 'train.max_iterr=2', "it has no train.max_iterr. Did you mean 'max_iter'?"),
        ('.py', 'modle.input_size=[3,4]', "Did you mean 'model'?"),
        ('.py', 'model.backbone.widht=2', "CSNet got an unexpected keyword argument 'widht'"),
        ('.py', 'dataloader.evaluator.protocoll=x', 'SaliencyEvaluator: got an unexpected keyword'),
        ('.py', 'dataloader.train.dataset.roott=x', "got an unexpected keyword argument 'roott'"),
        ('.py', 'optimizer.lrr=2', "got an unexpected keyword argument 'lrr'"),
    ],
)
def test_a_misspelt_option_is_named_before_the_training(
    suffix, option, reason, scenes, tmp_path, capsys
):
    """The evaluator's too, which detectron2 builds only after the training."""
    own = ['--cfg-options', *options_of(CSNET[suffix], scenes), option]
    words = [CSNET[suffix], '--work-dir', tmp_path / 'run', *own]
    assert reason in refused(capsys, 'train_command', *words)
    assert not list((tmp_path / 'run').glob('*.pth'))


def test_options_may_add_what_the_file_leaves_out():
    options = ['SOD.PRUNING.begin=3', 'SOD.BACKBONE.stage_blocks=[1,1,1,1]']
    sod = load_config(CSNET['.yaml'], options).SOD
    assert (sod.PRUNING.begin, sod.BACKBONE.stage_blocks) == (3, [1, 1, 1, 1])
    cfg = load_config(CSNET['.py'], ['+train.cudnn_benchmark=true', 'model.antialias=true'])
    assert cfg.train.cudnn_benchmark is cfg.model.antialias is True


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
@pytest.mark.parametrize('suffix', ['.py', '.yaml'])
def test_mixed_precision_is_refused_on_a_cpu(suffix, scenes, tmp_path, capsys):
    own = ['--cfg-options', *options_of(CSNET[suffix], scenes)]
    words = [CSNET[suffix], '--work-dir', tmp_path / 'run', '--amp', *own]
    assert '--amp, SOLVER.AMP.ENABLED' in refused(capsys, 'train_command', *words)


@pytest.mark.parametrize('suffix', ['.py', '.yaml'])
def test_mixed_precision_is_the_host_s(suffix, scenes, monkeypatch):
    """The config's own switch, and with it detectron2's AMPTrainer."""
    cfg = load_config(CSNET[suffix], options_of(CSNET[suffix], scenes))
    enabled = (lambda: cfg.train.amp.enabled) if suffix == '.py' else lambda: cfg.SOLVER.AMP.ENABLED
    assert not enabled()
    set_precision(cfg, amp=True, channels_last=False)
    assert enabled()
    chosen = []
    monkeypatch.setattr(trainer, 'AMPTrainer', lambda *words: chosen.append(words))
    model = torch.nn.Linear(1, 1)
    monkeypatch.setattr(torch.nn.Parameter, 'is_cuda', True, raising=False)
    adapter.Trainer._assemble(type('Any', (), {})(), model, None, None, True)
    assert len(chosen) == 1


def test_a_diverged_training_has_stopped(scenes, tmp_path, capsys):
    config = CSNET['.yaml']
    options = [*options_of(config, scenes), 'SOLVER.BASE_LR=1e30', 'SOLVER.MAX_ITER=6']
    words = [config, '--work-dir', tmp_path, '--cfg-options', *options]
    assert commands.train_command([str(word) for word in words], 'tool') == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('tool: stopped: ') and 'NaN' in error


@pytest.mark.parametrize('suffix', ['.py', '.yaml'])
def test_a_training_and_its_test_from_the_command_line(suffix, scenes, tmp_path, capsys):
    """Channels-last; then maps, overlays and measures, from the config that was saved too."""
    config, run = CSNET[suffix], tmp_path / 'run'
    name = f'detectron2/{config.name.removesuffix(".py")}'  # as sod configs lists it
    last = 'train.max_iter=2' if suffix == '.py' else 'SOLVER.MAX_ITER=2'
    own = ['--cfg-options', *options_of(config, scenes), last]
    words = ['train', name, '--work-dir', run, '--channels-last', *own]
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    saved, checkpoint = run / 'config.yaml', run / 'model_final.pth'
    # LazyConfig.save writes transforms as objects, which yaml can read again.
    assert ('_target_' in saved.read_text()) == (suffix == '.py')
    kept = LazyConfig.load(str(saved)).train if suffix == '.py' else load_config(saved).SOD
    assert kept.get('channels_last', kept.get('CHANNELS_LAST')) is True
    out = tmp_path / 'out'
    words = ['test', saved, checkpoint, '--work-dir', tmp_path / 'test', '--out', out]
    words += ['--show-dir', tmp_path / 'shown']
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    measures = json.loads((tmp_path / 'test/test_results.json').read_text())['saliency']
    written = json.loads((out / 'measures.json').read_text())
    assert measures and measures.items() <= {k: written[k] for k in measures}.items()
    names = sorted(path.name for path in (scenes / 'test/masks').iterdir())
    for folder in (out / 'maps', tmp_path / 'shown'):
        assert sorted(path.name for path in folder.iterdir()) == names
    # The saved maps are those of sod predict.
    words = ['predict', scenes / 'test/images', '--checkpoint', checkpoint, '-o', tmp_path / 'maps']
    assert main([str(word) for word in words]) == 0, capsys.readouterr().err
    for file in names:
        one, two = (
            np.asarray(Image.open(f / file)).astype(int) for f in (out / 'maps', tmp_path / 'maps')
        )
        assert np.abs(one - two).max() <= 1
    assert load_network(checkpoint).task == 'saliency'


@pytest.mark.parametrize('suffix', ['.py', '.yaml'])
def test_the_crf_is_for_maps_alone(suffix, scenes, tmp_path, capsys):
    config = S4NET[suffix]
    own = ['--cfg-options', *options_of(config, scenes)]
    words = [config, 'absent.pth', '--work-dir', tmp_path / 'run', '--crf', *own]
    error = refused(capsys, 'test_command', *words)
    assert "--crf is not for the config's evaluator, SalientInstanceEvaluator" in error
    assert not Path(tmp_path / 'run/test_results.json').exists()
