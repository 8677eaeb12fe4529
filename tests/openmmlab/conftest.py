"""Photos, masks and configs small enough to train in a second."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from functools import wraps
from pathlib import Path

import numpy as np
import pytest
import torch
import toy_host
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.visualization import Visualizer
from PIL import Image
from yapf.yapflib import yapf_api

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='session')
def photos(tmp_path_factory):
    """Write a data set of 11 pairs, 40 to 50 pixels wide and high, whose masks have soft edges."""
    folder = tmp_path_factory.mktemp('photos')
    rng = np.random.default_rng(5)
    for name in ('images', 'masks'):
        (folder / name).mkdir()
    for index in range(11):
        height, width = rng.integers(40, 51, size=2)
        rows, columns = np.mgrid[:height, :width]
        distance = np.hypot(rows - height * rng.random(), columns - width * rng.random())
        mask = (255 * np.clip(1.5 - distance / 12, 0, 1)).astype(np.uint8)
        image = rng.integers(0, 100, (height, width, 3)) + mask[..., None] // 2
        Image.fromarray(image.astype(np.uint8)).save(folder / 'images' / f'{index:02d}.png')
        Image.fromarray(mask).save(folder / 'masks' / f'{index:02d}.png')
    return folder


@pytest.fixture(scope='session')
def class_photos(tmp_path_factory):
    """Write photos of three classes, each of another colour: train/<class>/ and val/<class>/."""
    folder = tmp_path_factory.mktemp('class_photos')
    rng = np.random.default_rng(6)
    for split, count in (('train', 6), ('val', 2)):
        for channel, name in enumerate(('red', 'green', 'blue')):
            (folder / split / name).mkdir(parents=True)
            for index in range(count):
                image = rng.integers(0, 120, (*rng.integers(40, 51, size=2), 3), dtype=np.uint8)
                image[..., channel] += 120
                Image.fromarray(image).save(folder / split / name / f'{index}.png')
    return folder


@pytest.fixture(scope='session', autouse=True)
def format_each_config_once():
    """A run of mmengine formats one config seven times, which takes longer than a toy trains."""
    format_code, formatted = yapf_api.FormatCode, {}

    def format_once(text, **options):
        if text not in formatted:
            formatted[text] = format_code(text, **options)
        return formatted[text]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yapf_api, 'FormatCode', format_once)
        yield


@pytest.fixture(autouse=True)
def keep_runs_apart(monkeypatch):
    """A run of the same config in the same second would go on with the log of the one before."""
    build = Runner.__init__

    @wraps(build)
    def build_anew(runner, *args, **kwargs):
        for manager in (MMLogger, MessageHub, Visualizer, DefaultScope):
            manager._instance_dict.clear()
        build(runner, *args, **kwargs)

    monkeypatch.setattr(Runner, '__init__', build_anew)


@pytest.fixture(autouse=True)
def end_workers(monkeypatch):
    """Let workers end with their run by iterations: the collection of garbage would take 10 s."""
    run = IterBasedTrainLoop.run

    def run_and_end(loop):
        model = run(loop)
        del loop.dataloader_iterator
        return model

    monkeypatch.setattr(IterBasedTrainLoop, 'run', run_and_end)


@pytest.fixture
def toy_config(photos):
    """Return a function that makes the config of a toy run of 12 iterations: 2 epochs of 6."""
    torch.set_num_threads(1)

    def make(by_epoch: bool = False, num_workers: int = 0) -> Config:
        load = [dict(type='sod_plugins.LoadSaliencyImage')]
        finish = [
            dict(type='sod_plugins.ResizeSaliency', size=(16, 16)),
            dict(type='sod_plugins.PackSaliencyInputs'),
        ]
        augment = [
            dict(type='sod_plugins.LoadSaliencyMask'),
            dict(type='sod_plugins.RandomMarginCrop', max_margin=8),
            dict(
                type='sod_plugins.RandomSaliencyFlip',
                prob=0.5,
                directions=['horizontal', 'vertical'],
            ),
        ]
        dataset = dict(type='sod_plugins.SaliencyDataset', data_root=str(photos))
        evaluation = dict(
            batch_size=4,
            sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(**dataset, pipeline=load + finish, test_mode=True),
        )
        loop = (
            dict(type='EpochBasedTrainLoop', max_epochs=2, val_interval=1)
            if by_epoch
            else dict(type='IterBasedTrainLoop', max_iters=12, val_interval=5)
        )
        checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=4)
        return Config(
            dict(
                custom_imports=dict(imports=['toy_host']),
                model=dict(type='ToySegmentor'),
                train_dataloader=dict(
                    batch_size=2,
                    num_workers=num_workers,
                    sampler=dict(type='sod_plugins.ResumableSampler', infinite=not by_epoch),
                    dataset=dict(**dataset, pipeline=load + augment + finish),
                ),
                val_dataloader=evaluation,
                test_dataloader=evaluation,
                val_evaluator=dict(type='sod_plugins.SaliencyMetric'),
                test_evaluator=dict(type='sod_plugins.SaliencyMetric'),
                optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-2)),
                param_scheduler=[
                    dict(type='MultiStepLR', milestones=[1], by_epoch=True),
                    dict(type='PolyLR', eta_min=1e-3, by_epoch=False, begin=0, end=12),
                ],
                train_cfg=loop,
                val_cfg=dict(),
                test_cfg=dict(),
                default_hooks=dict(
                    checkpoint=checkpoint,
                    logger=dict(type='LoggerHook', interval=1),
                    exact_resume=dict(type='sod_plugins.ExactResumeHook'),
                ),
                log_processor=dict(by_epoch=by_epoch),
                randomness=dict(seed=3),
            )
        )

    return make


@pytest.fixture
def train_apart(toy_config, free_port):
    """Return a function that runs the command of ``tools/train.py`` in one process or several.

    They are forked from one that has imported the hosts, which takes longer than a toy trains. The
    result is their exit statuses.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['sod_plugins.openmmlab.commands'])

    def train(*words: object, processes: int = 1) -> list[int | None]:
        arguments = [*map(str, words), *(['--launcher', 'pytorch'] if processes > 1 else [])]
        ranks = [
            context.Process(target=toy_host.train, args=(rank, processes, free_port, arguments))
            for rank in range(processes)
        ]
        for process in ranks:
            process.start()
        for process in ranks:
            process.join(timeout=120)
            process.kill()  # if it still waits for the others
        return [process.exitcode for process in ranks]

    return train


@pytest.fixture
def run_tool():
    """Return a function that runs ``tools/NAME.py`` in two processes of torch's launcher."""

    def run(name: str, *words: object) -> subprocess.CompletedProcess[str]:
        launcher = ['-m', 'torch.distributed.run', '--standalone', '--nproc-per-node=2']
        command = [*launcher, ROOT / 'tools' / f'{name}.py', *words, '--launcher', 'pytorch']
        paths = [ROOT, ROOT / 'tests' / 'helpers', os.environ.get('PYTHONPATH', '')]
        return subprocess.run(
            [sys.executable, *map(str, command)],
            env={
                **os.environ,
                'PYTHONPATH': os.pathsep.join(map(str, paths)),
                'OMP_NUM_THREADS': '1',
                'CUDA_VISIBLE_DEVICES': '',
            },
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run
