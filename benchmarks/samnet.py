"""SAMNet's speed of inference on one image, one thread, one process, and its memory.

    python benchmarks/samnet.py [CHECKPOINT] [--repeats 30] [--compile] [--size 336 336]

The sides take turns, one run each, so that other work on the machine disturbs all alike; a run
counts after three for warming up. Wall-clock time is what an image takes, CPU time leaves out what
other processes took. Each side's saliency is compared with that of the first; the ratios are those
of the medians of wall-clock time.

    plain      the network with the attention as the paper's formula, nothing fused
    eager      the network as `SAMNet()` builds it
    fused      `fuse(network)`: BatchNorms folded, weights channels-last
    compiled   the fused network by torch.compile with frozen weights (minutes of compilation)
    ONNX Runtime, OpenVINO   the exported network in float32, where they are installed

Memory (Tab. II of the paper: of testing one image): the weights, and the peak of the bytes that
tensors hold; on CUDA what the allocator reports. On a CUDA device, the second part measures latency
at batch 1 and images per second, eagerly and by a captured graph.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from peak_bytes import PeakBytes
from timing import WARM_UP, Run, compiled, take_turns
from torch import Tensor, nn

from sod_plugins.inference import OnnxRuntimeNetwork, OpenVINONetwork, export_network
from sod_plugins.networks import SAMNet, fuse, load_network


@contextmanager
def attention(implementation: str) -> Iterator[None]:
    """Let SAM modules weigh their branches by one implementation."""
    module = importlib.import_module('sod_plugins.layers.stereoscopic_attention')
    default = module.branch_attention
    module.branch_attention = functools.partial(default, implementation=implementation)
    try:
        yield
    finally:
        module.branch_attention = default


def plain(network: nn.Module, images: Tensor) -> Tensor:
    with attention('reference'):
        return network(images)


def exported(network: nn.Module, size: tuple[int, int], folder: str) -> dict[str, Run]:
    """Export the network for each engine that is installed."""
    runs: dict[str, Run] = {}
    for name, suffix, engine in (
        ('ONNX Runtime', '.onnx', OnnxRuntimeNetwork),
        ('OpenVINO', '.xml', OpenVINONetwork),
    ):
        try:
            path = Path(folder, f'network{suffix}')
            check = export_network(network, path, size=size)
            runs[name] = engine(path, threads=1)
            print(f'{name}: differs from torch by {check.logits:.1e} in logits on a drawn photo')
        except ImportError as error:
            print(f'{name} is left out: {error}')
    return runs


def alternate(runs: dict[str, Run], images: Tensor, repeats: int) -> None:
    """Print the medians of every side, and its ratios to the plain and the eager network."""
    times = take_turns(runs, images, repeats)
    expected = times['plain'].result.sigmoid()
    for name, side in times.items():
        difference = (side.result.sigmoid() - expected).abs().max().item()
        print(f'{name:>14}: saliency differs from plain by {difference:.1e}')
    median = {name: statistics.median(side.wall) for name, side in times.items()}
    print(
        f'{"":14}  {"ms":>6} {"fastest":>7} {"CPU ms":>6} {"/s":>6} {"x plain":>7} {"x eager":>7}'
    )
    for name in runs:
        print(
            f'{name:>14}: {1e3 * median[name]:6.1f} {1e3 * min(times[name].wall):7.1f} '
            f'{1e3 * statistics.median(times[name].cpu):6.1f} {1 / median[name]:6.1f} '
            f'{median["plain"] / median[name]:7.2f} {median["eager"] / median[name]:7.2f}'
        )


def peak_mib(run: Run, images: Tensor) -> float:
    """Return the peak of memory while one image is tested, without the weights."""
    if images.is_cuda:
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run(images)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    with PeakBytes() as counter:
        run(images)
    return counter.peak / 2**20


def measure_memory(network: nn.Module, images: Tensor) -> None:
    weights = sum(x.nbytes for x in (*network.parameters(), *network.buffers())) / 2**20
    how = 'the CUDA allocator' if images.is_cuda else 'the tensors'
    for name, run in (
        ('plain', functools.partial(plain, network)),
        ('eager', network),
        ('fused', fuse(network)),
    ):
        run(images)
        peak = peak_mib(run, images)
        print(
            f'memory of one image, {name}: {weights + peak:.1f} MiB in {how}, '
            f'{weights:.1f} of them weights'
        )


def capture(network: nn.Module, images: Tensor) -> Run:
    """Capture the network for images of one shape; the run copies them in and returns its output.

    The warm-up on a side stream lets the libraries choose their kernels before the capture.
    """
    static = images.clone()
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            network(static)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        logits = network(static)

    def run(new: Tensor) -> Tensor:
        static.copy_(new)
        graph.replay()
        return logits

    return run


def cuda_ms(run: Run, images: Tensor, repeats: int) -> float:
    """Return the median time of a run, from the call to its result."""
    times = []
    for repeat in range(WARM_UP + repeats):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run(images)
        torch.cuda.synchronize()
        if repeat >= WARM_UP:
            times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times)


def measure_cuda(network: nn.Module, size: tuple[int, int], batch: int, repeats: int) -> None:
    """Print latency at batch 1 and throughput at a larger batch."""
    print(f'{torch.cuda.get_device_name()}, TF32 {torch.backends.cudnn.allow_tf32}')
    torch.backends.cudnn.benchmark = True  # shapes are fixed
    network = network.cuda()
    fused = fuse(network)
    measure_memory(network, torch.randn(1, 3, *size, device='cuda'))
    free, total = torch.cuda.mem_get_info()
    print(
        f'in use on the device, with its context and all other processes: '
        f'{(total - free) / 2**20:.0f} MiB'
    )
    for dtype in (torch.float32, torch.float16):
        for count in (1, batch):
            images = torch.randn(count, 3, *size, device='cuda', dtype=dtype)
            images = images.to(memory_format=torch.channels_last)
            sides = {'eager': network.to(dtype), 'fused': fused.to(dtype)}
            sides['fused, captured'] = capture(fused, images)
            for name, run in sides.items():
                ms = cuda_ms(run, images, repeats)
                print(
                    f'{str(dtype).removeprefix("torch."):>8} batch {count:3} {name:>15}: '
                    f'{ms:7.3f} ms, {1e3 * count / ms:8.0f} images/s'
                )


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', nargs='?', help='a SAMNet (default: untrained weights)')
    parser.add_argument('--size', type=int, nargs=2, default=(336, 336))
    parser.add_argument('--repeats', type=int, default=30)
    parser.add_argument('--compile', action='store_true', help='measure torch.compile too')
    parser.add_argument('--batch', type=int, default=64, help='for images per second on CUDA')
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as `sod predict` does
    torch.manual_seed(0)
    network = load_network(args.checkpoint) if args.checkpoint else SAMNet().eval()
    size = (args.size[0], args.size[1])
    images = torch.randn(1, 3, *size)
    print(
        f'torch {torch.__version__} on {platform.processor() or platform.machine()}, 1 thread, '
        f'{size[0]}x{size[1]}, medians of {args.repeats}, load {os.getloadavg()[0]:.1f}'
    )
    runs: dict[str, Run] = {'plain': functools.partial(plain, network), 'eager': network}
    runs['fused'] = fuse(network)
    if args.compile:
        runs['compiled'] = compiled(fuse(network), images)
    with tempfile.TemporaryDirectory() as folder:
        runs |= exported(network, size, folder)
        alternate(runs, images, args.repeats)
    measure_memory(network, images)
    if torch.cuda.is_available():
        measure_cuda(network, size, args.batch, args.repeats)
    else:
        print('no CUDA device: latency and throughput on a GPU are not measured')


if __name__ == '__main__':
    main()
