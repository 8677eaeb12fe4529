"""A tiny saliency model and hooks that watch or kill, for runs that tests start from configs."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import HOOKS, MODELS
from mmengine.structures import PixelData
from torch import nn

from sod_plugins.openmmlab.commands import train_command


@MODELS.register_module()
class ToySegmentor(BaseModel):
    """Two convolutions; BatchNorm and dropout, unless ``plain``, make all kinds of state matter."""

    def __init__(self, plain: bool = False, dropout: float = 0.3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Identity() if plain else nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Dropout(0.0 if plain else dropout),
            nn.Conv2d(4, 1, 1),
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        logits = self.layers(torch.stack(inputs) / 255)
        if mode == 'loss':
            masks = torch.stack([sample.gt_sem_seg.data for sample in data_samples])
            return {'loss': F.binary_cross_entropy_with_logits(logits, masks)}
        for sample, map_ in zip(data_samples, logits.sigmoid(), strict=True):
            saliency = F.interpolate(map_[None], size=sample.ori_shape, mode='bilinear')[0]
            sample.seg_logits = PixelData(data=saliency)
        return data_samples


@HOOKS.register_module()
class KillHook(Hook):
    """End the process as ``kill -9`` does, after a number of training iterations."""

    def __init__(self, after: int) -> None:
        self.after = after

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 == self.after:
            os.kill(os.getpid(), signal.SIGKILL)


@HOOKS.register_module()
class SpoilHook(Hook):
    """Spoil the training after a number of iterations: by a weight of NaN, or a learning rate."""

    priority = 'HIGHEST'

    def __init__(self, after: int, rate: float | None = None) -> None:
        self.after, self.rate = after, rate

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        if runner.iter + 1 != self.after:
            return
        if self.rate is None:
            next(runner.model.parameters()).data.fill_(float('nan'))
        else:
            runner.optim_wrapper.optimizer.param_groups[0]['lr'] = self.rate


@HOOKS.register_module()
class RecordHook(Hook):
    """Write this process's weights after every iteration to ``rank<rank>.pth``."""

    def __init__(self) -> None:
        self.weights: list[torch.Tensor] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        parameters = [parameter.detach().flatten() for parameter in runner.model.parameters()]
        self.weights.append(torch.cat(parameters))

    def after_train(self, runner) -> None:
        torch.save(torch.stack(self.weights), Path(runner.work_dir) / f'rank{runner.rank}.pth')


@HOOKS.register_module()
class FreezeNormsHook(Hook):
    """Let BatchNorm use its running statistics while training."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        for module in runner.model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()


def train(rank: int, processes: int, port: int, words: list[str]) -> None:
    """Be one of the processes in which ``tools/train.py`` runs, as torch's launcher starts them."""
    place = {'RANK': rank, 'LOCAL_RANK': rank, 'WORLD_SIZE': processes, 'MASTER_PORT': port}
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ |= {'MASTER_ADDR': '127.0.0.1', 'CUDA_VISIBLE_DEVICES': ''}
    torch.set_num_threads(1)
    sys.exit(train_command(words))
