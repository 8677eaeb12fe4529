"""What dynamic weight decay adds to a training step of CSNet x1, with and without in one run.

    python benchmarks/dynamic_weight_decay.py [--size 112] [--batch 8] [--repeats 15] [--threads 1]

Baseline: the same step (forward, backward, Adam with its standard decay) without the rule. The two
take turns, and CPU time is measured, so that other work on the machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F

from sod_plugins.networks import CSNet
from sod_plugins.optim import DynamicWeightDecay


def make_step(decayed: bool, size: int, batch: int, device: str) -> Callable[[], None]:
    torch.manual_seed(0)
    network = CSNet().to(device)
    decay = DynamicWeightDecay(network)
    optimizer = torch.optim.Adam(decay.parameter_groups(5e-3), lr=1e-4, betas=(0.9, 0.99))
    if decayed:
        decay.attach(optimizer)
    images = torch.randn(batch, 3, size, size, device=device)
    masks = torch.rand(batch, 1, size, size, device=device)

    def step() -> None:
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(images), masks).backward()
        optimizer.step()
        if device == 'cuda':
            torch.cuda.synchronize()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--size', type=int, default=112, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--repeats', type=int, default=15)
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    clock = time.perf_counter if device == 'cuda' else time.process_time

    steps = {
        name: make_step(name == 'dynamic', args.size, args.batch, device)
        for name in ('standard', 'dynamic')
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for repeat in range(args.repeats + 2):
        for name, step in steps.items():
            start = clock()
            step()
            if repeat >= 2:  # the first steps allocate
                times[name].append(clock() - start)
    medians = {name: statistics.median(values) for name, values in times.items()}
    ratios = [d / s for d, s in zip(times['dynamic'], times['standard'], strict=True)]
    print(f'torch {torch.__version__}, {platform.processor() or platform.machine()}, {device}')
    for name, median in medians.items():
        print(f'{name:>8} decay: {1000 * median:8.1f} ms a step (median of {args.repeats})')
    print(
        f'ratio of medians {medians["dynamic"] / medians["standard"]:.3f}, '
        f'median of paired ratios {statistics.median(ratios):.3f}'
    )


if __name__ == '__main__':
    main()
