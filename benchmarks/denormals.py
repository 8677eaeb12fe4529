"""Time of CSNet's steps and predictions with and without flushing denormals, in one run.

    python benchmarks/denormals.py csnet-L-x1.pth [--size 112] [--batch 4] [--repeats 9]

Dynamic weight decay drives channels towards zero, and weights and statistics of theirs end as
denormal numbers (below 1e-38). Many processors compute up to fifty times slower with them, others
do not: the table's first line names this one. The released CSNets, which `sod convert csnet`
converts, are full of them. In this package the rule ends them as exact zeros, and `sod predict`
reads older checkpoints so. Baseline: the checkpoint as it is, and the rule without that. Both take
turns, each with ``torch.set_flush_denormal`` on (as ``tools/train.py`` has it) and off (as the
hosts' scripts have it). One thread; CPU time is measured, so that other work on the machine
disturbs all alike.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from collections import defaultdict
from functools import partial
from itertools import product
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F
from timing import seconds
from torch import Tensor

from sod_plugins.inference.devices import zero_denormals
from sod_plugins.networks import load_network
from sod_plugins.optim import DynamicWeightDecay, dynamic_weight_decay

SMALLEST = torch.finfo(torch.float32).tiny


class Training:
    """A checkpoint trained on by the rule; without ``zeros``, both leave denormals as they are."""

    def __init__(self, checkpoint: str, zeros: bool) -> None:
        self.network = load_network(checkpoint)
        if zeros:
            zero_denormals(self.network)
        decay = DynamicWeightDecay(self.network)
        self.optimizer = torch.optim.Adam(decay.parameter_groups(5e-3), lr=1e-4)
        drop = dynamic_weight_decay._drop_tiny if zeros else lambda *_: None
        with mock.patch.object(dynamic_weight_decay, '_drop_tiny', drop):
            decay.attach(self.optimizer)

    def step(self, images: Tensor) -> None:
        """Train on the images for one step."""
        self.network.train()
        self.optimizer.zero_grad()
        masks = (images.mean(1, keepdim=True) > 0).float()
        F.binary_cross_entropy_with_logits(self.network(images), masks).backward()
        self.optimizer.step()

    def predict(self, images: Tensor) -> None:
        """Predict the images."""
        with torch.inference_mode():
            self.network.eval()(images)

    def denormals(self) -> int:
        """Count the denormal weights and statistics."""
        tensors = [*self.network.parameters(), *self.network.buffers()]
        return sum(int(((t != 0) & (t.abs() < SMALLEST)).sum()) for t in tensors)


def compare(
    trainings: dict[str, Training], images: Tensor, repeats: int
) -> dict[tuple[str, bool, str], float]:
    """Return medians in milliseconds, by network, flushing and action; all take turns."""
    times = defaultdict(list)
    for repeat in range(1 + repeats):
        for (name, training), flush in product(trainings.items(), (True, False)):
            torch.set_flush_denormal(flush)
            for action in (training.step, training.predict):
                took = 1000 * seconds(partial(action, images), 'cpu')
                if repeat:  # the first allocates
                    times[name, flush, action.__name__].append(took)
    torch.set_flush_denormal(False)
    return {side: statistics.median(values) for side, values in times.items()}


def processor() -> str:
    """Return the processor's name."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text('utf-8').splitlines() if info.is_file() else []
    names = (line.partition(': ')[2] for line in lines if line.startswith('model name'))
    return next(names, platform.processor() or platform.machine())


def main() -> None:
    """Print the table, and ratios to the rule's own zeros with flushing."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', help='a CSNet whose decay left denormals')
    parser.add_argument('--size', type=int, default=112, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--repeats', type=int, default=9)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)
    trainings = {
        'exact zeros': Training(args.checkpoint, zeros=True),
        'denormals kept': Training(args.checkpoint, zeros=False),
    }
    counts = {name: training.denormals() for name, training in trainings.items()}
    images = torch.randn(args.batch, 3, args.size, args.size)
    medians = compare(trainings, images, args.repeats)
    print(f'torch {torch.__version__}, {processor()}, medians of {args.repeats}, ms of CPU time')
    print('| rule | denormals | flushing | step | ratio | prediction | ratio |')
    print('|---|---:|---|---:|---:|---:|---:|')
    for name, flush in product(trainings, (True, False)):
        cells = [name, str(counts[name]), 'on' if flush else 'off']
        for action in ('step', 'predict'):
            took = medians[name, flush, action]
            cells += [f'{took:.0f}', f'{took / medians["exact zeros", True, action]:.2f}']
        print(f'| {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
