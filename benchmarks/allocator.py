"""Time of a training step of the default model on a CPU, with freed memory kept, in one run.

    python benchmarks/allocator.py [--size 288] [--batch 16] [--threads 2] [--repeats 5]

Baseline: glibc as it is. Kept: after ``keep_freed_memory``, as ``sod train`` has it. Each repeat
starts one process for each side, which take turns. Wall time of a step (all outputs, AdamW,
channels-last), the median of five after two for warming up, and the largest resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from sod_plugins import zoo
from sod_plugins._common.allocator import keep_freed_memory

WARM_UP = 2
SIDES = ('as it is', 'kept')


def measure(side: str, size: int, batch: int, threads: int) -> dict[str, float]:
    """Measure steps in this process, which has done nothing before."""
    if side == 'kept':
        keep_freed_memory()
    torch.set_num_threads(threads)
    network = zoo.load().train().to(memory_format=torch.channels_last)
    images = torch.randn(batch, 3, size, size).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)
    times = []
    for _ in range(WARM_UP + 5):
        start = time.perf_counter()
        loss = sum(output.mean() for output in network(images))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {'s': statistics.median(times[WARM_UP:]), 'MiB': peak}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--size', type=int, default=288, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=16)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--side', choices=SIDES, help=argparse.SUPPRESS)  # in its own process
    args = parser.parse_args()
    if args.side:
        print(json.dumps(measure(args.side, args.size, args.batch, args.threads)))
        return
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(args.repeats):
        for side in SIDES:
            words = [sys.executable, *sys.argv, '--side', side]
            printed = subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout
            runs[side].append(json.loads(printed))
    print(f'torch {torch.__version__}, medians of {args.repeats} processes')
    print('| freed memory | s | ratio | MiB | ratio |')
    print('|---|---:|---:|---:|---:|')
    medians = {
        side: {unit: statistics.median(run[unit] for run in taken) for unit in taken[0]}
        for side, taken in runs.items()
    }
    for side in SIDES:
        cells = [side]
        for unit, form in (('s', '.2f'), ('MiB', '.0f')):
            value = medians[side][unit]
            cells += [f'{value:{form}}', f'{value / medians[SIDES[0]][unit]:.2f}']
        print(f'| {" | ".join(cells)} |')


if __name__ == '__main__':
    main()
