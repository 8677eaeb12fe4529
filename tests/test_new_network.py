"""A network of a user's own, added as CONTRIBUTING says, outside the package."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)

from sod_plugins.data import generate_scenes

ROOT = Path(__file__).parents[1]

NETWORK = """
import torch.nn.functional as F
from torch import nn
from sod_plugins.networks import SaliencyNetwork, register_network


@register_network
class ToyNet(SaliencyNetwork):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        conv = nn.Conv2d(3, width, 3, padding=1)
        self.first = nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, images):
        return self.last(self.first(images))

    def losses(self, images, targets, ignore_value=None):
        return {'loss_bce': F.binary_cross_entropy_with_logits(self(images), targets)}
"""
CONFIG = """
default_scope = 'mmseg'
model = dict(
    type='sod_plugins.NetworkSegmentor',
    network=dict(type='ToyNet', width=6),
    data_preprocessor=dict(
        type='mmseg.SegDataPreProcessor', mean=[120.0] * 3, std=[60.0] * 3, size_divisor=1))
load = [dict(type='sod_plugins.LoadSaliencyImage')]
finish = [
    dict(type='sod_plugins.ResizeSaliency', size=(32, 48)),
    dict(type='sod_plugins.PackSaliencyInputs')]
data = dict(type='sod_plugins.SaliencyDataset', data_root='scenes')
train_dataloader = dict(
    batch_size=2,
    sampler=dict(type='sod_plugins.ResumableSampler', infinite=True),
    dataset=dict(**data, pipeline=[*load, dict(type='sod_plugins.LoadSaliencyMask'), *finish]))
test_dataloader = dict(
    batch_size=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**data, test_mode=True, pipeline=[*load, *finish]))
test_evaluator = dict(type='sod_plugins.SaliencyMetric')
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-2))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=3)
test_cfg = dict()
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3))
"""
TEST = """
import torch
from toynet import ToyNet

def test_toynet():
    assert ToyNet(5)(torch.zeros(1, 3, 8, 9)).shape == (1, 1, 8, 9)
"""


@pytest.fixture
def project(tmp_path):
    """Write the files that CONTRIBUTING names, and scenes."""
    files = {'toynet.py': NETWORK, 'config.py': CONFIG, 'test_toynet.py': TEST}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    generate_scenes(tmp_path / 'scenes', 2, size=(40, 60))
    print(f'files that a new network touches: {len(files)}')
    assert len(files) <= 5
    return tmp_path


def run(project, *words):
    """Run a command in a process of its own, in the project's folder."""
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=project,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(paths), 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_a_new_network_trains_loads_predicts_and_exports(project):
    own = ('--import', 'toynet')
    run(project, ROOT / 'tools/train.py', 'config.py', '--work-dir', 'work', *own)
    checkpoint = project / 'work/iter_3.pth'
    run(project, ROOT / 'tools/test.py', 'config.py', checkpoint, '--out', 'out', *own)
    code = (
        'import sys, toynet; from sod_plugins.networks import load_network; '
        'network = load_network(sys.argv[1]); '
        'print(type(network).__name__, network.arguments, network.preprocessing.size)'
    )
    assert run(project, '-c', code, checkpoint) == "ToyNet {'width': 6} (32, 48)\n"
    sod = ('-m', 'sod_plugins.cli')
    run(project, *sod, 'predict', 'scenes/images', '-o', 'maps', '--checkpoint', checkpoint, *own)
    for name in ('000000.png', '000001.png'):
        predicted, tested = (
            np.asarray(Image.open(project / folder / name), dtype=int)
            for folder in ('maps', 'out/maps')
        )
        assert np.abs(predicted - tested).max() <= 1 and predicted.std() > 0
    if importlib.util.find_spec('onnxscript') and importlib.util.find_spec('onnxruntime'):
        run(project, *sod, 'export', checkpoint, '-o', 'toy.onnx', *own)
        assert (project / 'toy.onnx').stat().st_size > 0


def test_without_its_module_the_network_is_named(project):
    code = (
        'import toynet; from sod_plugins.networks import save_network; '
        'save_network("toy.safetensors", toynet.ToyNet())'
    )
    run(project, '-c', code)
    done = subprocess.run(
        [sys.executable, '-m', 'sod_plugins.cli', 'complexity', 'toy.safetensors'],
        cwd=project,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "toy.safetensors holds a network 'ToyNet', which is not one of those" in done.stderr
    assert done.stderr.endswith('name its module by --import.\n')
