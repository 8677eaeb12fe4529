"""What the framework and data loading cost in a training of CSNet x1 at 224x224, one CPU thread.

    python benchmarks/csnet_training.py data/msra10k [--batch 24] [--steps 20] [--config FILE]

mmengine's runner trains by the config as `tools/train.py` does. After each of its iterations, the
same batch goes through the same step (normalisation, forward, backward, Adam, dynamic weight decay)
of a plain PyTorch loop, so that other work on the machine disturbs both alike. What is compared is
processor time of this process, which for the runner is everything from one iteration's end to the
next one's: waiting for data takes none. The pipeline (reading, crop, flip, resize) is then timed by
itself: one process must make more images a second than a step takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.hooks import Hook
from mmengine.runner import Runner

from sod_plugins.networks import CSNet, Preprocessing
from sod_plugins.openmmlab.launch import load_config
from sod_plugins.optim import DynamicWeightDecay

CONFIG = Path(__file__).parent.parent / 'configs/csnet/csnet-x1_1xb24-300e_msra10k-224x224.py'
WARM_UP = 2


class PlainLoop:
    """A training step of CSNet x1 without any framework."""

    def __init__(self) -> None:
        self.network = CSNet().train()
        decay = DynamicWeightDecay(self.network)
        self.optimizer = torch.optim.Adam(
            decay.parameter_groups(5e-3), lr=1e-4, betas=(0.9, 0.99), weight_decay=5e-3
        )
        decay.attach(self.optimizer)
        normal = Preprocessing()
        self.mean, self.std = (torch.tensor(v).view(3, 1, 1) for v in (normal.mean, normal.std))

    def step(self, batch: dict[str, Any]) -> None:
        """Learn from a batch as the data loader gives it."""
        images = (torch.stack(batch['inputs']).float() - self.mean) / self.std
        masks = torch.stack([sample.gt_sem_seg.data for sample in batch['data_samples']])
        self.optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(self.network(images), masks.float()).backward()
        self.optimizer.step()


class PlainBesideRunner(Hook):
    """Runs the plain step after every iteration of the runner, and times both."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.plain = PlainLoop()
        self.times: dict[str, list[float]] = {'runner': [], 'plain loop': []}

    def before_train_epoch(self, runner: Runner) -> None:
        """Start the clock."""
        self.mark = time.process_time()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note what the iteration took, and run the plain step."""
        start = time.process_time()
        self.times['runner'].append(start - self.mark)
        self.plain.step(data_batch)
        self.mark = time.process_time()
        self.times['plain loop'].append(self.mark - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('data', help='folder of MSRA10K')
    parser.add_argument('--config', type=Path, default=CONFIG)
    parser.add_argument('--batch', type=int, default=24)
    parser.add_argument('--steps', type=int, default=20)
    parser.add_argument('--images', type=int, default=200, help='to time the pipeline with')
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as tools/train.py does
    options: dict[str, Any] = {
        'train_dataloader.batch_size': args.batch,
        'train_cfg.max_epochs': 1,
        'train_cfg.val_begin': 2,  # never
        **{f'{part}_dataloader.dataset.data_root': args.data for part in ('train', 'val', 'test')},
    }
    with tempfile.TemporaryDirectory() as folder:
        count = args.batch * (args.steps + WARM_UP)
        few = Path(folder, 'few.txt')
        few.write_text('\n'.join(Path(args.data, 'train.txt').read_text().split('\n')[:count]))
        options['train_dataloader.dataset.list_file'] = str(few)
        runner = Runner.from_cfg(load_config(args.config, options, folder))
        hook = PlainBesideRunner()
        runner.register_hook(hook, priority='LOWEST')
        runner.train()
    medians = {name: statistics.median(t[WARM_UP:]) for name, t in hook.times.items()}
    dataset = runner.train_dataloader.dataset
    start = time.process_time()
    for index in range(args.images):
        dataset[index % len(dataset)]
    pipeline = (time.process_time() - start) / args.images
    print(f'torch {torch.__version__}, batch {args.batch}, medians of {args.steps}, CPU time')
    for name, seconds in medians.items():
        print(f'{name:>10}: {1e3 * seconds:8.1f} ms a step, {args.batch / seconds:6.1f} images/s')
    print(f'overhead of the framework: {medians["runner"] / medians["plain loop"] - 1:+.1%}')
    print(
        f'{"pipeline":>10}: {1e3 * pipeline:8.1f} ms an image, {1 / pipeline:6.1f} images/s of a '
        f'process, {args.batch * pipeline / medians["runner"]:.1%} of a step'
    )


if __name__ == '__main__':
    main()
