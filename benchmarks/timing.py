"""Time of functions, measured so that other work on the machine disturbs all sides alike."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

WARM_UP = 3
Run = Callable[[Tensor], Tensor]


class Times(NamedTuple):
    """Seconds of every counted run of a side, and what its first run gave."""

    wall: list[float]
    cpu: list[float]
    result: Tensor


def take_turns(runs: Mapping[str, Run], images: Tensor, repeats: int) -> dict[str, Times]:
    """Let the sides take turns, one run each; a run counts after three for warming up."""
    times: dict[str, Times] = {}
    for repeat in range(WARM_UP + repeats):
        for name, run in runs.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            result = run(images)
            took, cpu_took = time.perf_counter() - start, time.process_time() - cpu_start
            side = times.setdefault(name, Times([], [], result))
            if repeat >= WARM_UP:
                side.wall.append(took)
                side.cpu.append(cpu_took)
    return times


def compiled(network: nn.Module, images: Tensor) -> Run:
    """Compile a network with frozen weights, and say what that took."""
    inductor = importlib.import_module('torch._inductor.config')
    inductor.freezing = True
    start = time.perf_counter()
    run: Run = torch.compile(network)
    run(images)
    print(f'torch.compile took {time.perf_counter() - start:.0f} s')
    return run


def seconds(function: Callable[[], object], device: str) -> float:
    """Return what a call takes: CPU time on a CPU, up to the result on CUDA."""
    if device == 'cuda':
        torch.cuda.synchronize()
    clock = time.perf_counter if device == 'cuda' else time.process_time
    start = clock()
    function()
    if device == 'cuda':
        torch.cuda.synchronize()
    return clock() - start
