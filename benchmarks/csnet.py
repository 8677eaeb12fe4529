"""CSNet's speed of inference on one image, one thread, one process, at 224x224.

    python benchmarks/csnet.py csnet-L-x1.pth [--repeats 30] [--compile] [--size 224 224]

The sides take turns, one run each, so that other work on the machine disturbs all alike; a run
counts after three for warming up. Wall-clock time is what an image takes, CPU time leaves out what
other processes took. The logits of every side are compared with those of the first; the ratios are
those of the medians, of wall-clock and of CPU time.

    plain      the network as it is trained, layer by layer: one convolution per pair of scales,
               BatchNorms and the factor 100 of their own; it stands for the released code
    fused      `fuse(network)`, as `sod predict` runs it
    traced     the fused network by torch.jit.trace and freeze, without Python between operators
    compiled   the fused network by torch.compile with frozen weights (minutes of compilation)
    numba      `CompiledCSNet(network)`, as `sod predict --backend numba` runs it
    ONNX Runtime, OpenVINO   the exported network in float32, where they are installed
    OpenVINO bf16            the same file computed in bfloat16

The released weights are converted by `sod convert csnet`; without a checkpoint, the
weights of CSNet x1 are random.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from timing import Run, compiled, take_turns
from torch import Tensor, nn

from sod_plugins.data import draw_scene
from sod_plugins.inference import (
    CompiledCSNet,
    OnnxRuntimeNetwork,
    OpenVINONetwork,
    export_network,
)
from sod_plugins.networks import CSNet, fuse, load_network


def traced(network: nn.Module, images: Tensor) -> Run:
    with warnings.catch_warnings():  # about shapes, which become constants
        warnings.simplefilter('ignore', torch.jit.TracerWarning)
        run: Run = torch.jit.freeze(torch.jit.trace(network, images))
    return run


def engines(network: CSNet, size: tuple[int, int], folder: str) -> dict[str, Run]:
    """Open the network by each engine that is installed."""
    path = Path(folder, 'network.onnx')
    runs: dict[str, Run] = {}
    try:
        runs['numba'] = CompiledCSNet(network)
    except ImportError as error:
        print(f'numba is left out: {error}')
    try:
        export_network(network, path, size=size)
        runs['ONNX Runtime'] = OnnxRuntimeNetwork(path, threads=1)
        runs['OpenVINO'] = OpenVINONetwork(path, threads=1)
        runs['OpenVINO bf16'] = OpenVINONetwork(path, threads=1, precision='bf16')
    except ImportError as error:
        print(f'the engines that follow are left out: {error}')
    return runs


def alternate(runs: dict[str, Run], images: Tensor, repeats: int) -> None:
    """Print the medians of every side and its ratios to the plain network."""
    times = take_turns(runs, images, repeats)
    for name, side in times.items():
        difference = (side.result - times['plain'].result).abs().max().item()
        print(f'{name:>14}: logits differ from plain by {difference:.1e}')
    ms = {name: 1e3 * statistics.median(side.wall) for name, side in times.items()}
    cpu_ms = {name: 1e3 * statistics.median(side.cpu) for name, side in times.items()}
    print(f'{"":14}  {"ms":>6} {"fastest":>7} {"CPU ms":>6} {"x plain":>7} {"x CPU":>6}')
    for name in runs:
        print(
            f'{name:>14}: {ms[name]:6.1f} {1e3 * min(times[name].wall):7.1f} {cpu_ms[name]:6.1f} '
            f'{ms["plain"] / ms[name]:7.2f} {cpu_ms["plain"] / cpu_ms[name]:6.2f}'
        )


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('checkpoint', nargs='?', help='a CSNet (default: x1, untrained)')
    parser.add_argument('--size', type=int, nargs=2, default=(224, 224))
    parser.add_argument('--repeats', type=int, default=30)
    parser.add_argument('--compile', action='store_true', help='measure torch.compile too')
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)  # as `sod predict` does
    torch.manual_seed(0)
    network = load_network(args.checkpoint) if args.checkpoint else CSNet(weight_scale=1.0)
    network.eval()
    size = (args.size[0], args.size[1])
    photo = draw_scene(np.random.default_rng(0), (240, 320)).image
    images = nn.functional.interpolate(network.preprocessing.apply(photo), size)
    print(
        f'torch {torch.__version__} on {platform.processor() or platform.machine()}, 1 thread, '
        f'{size[0]}x{size[1]}, medians of {args.repeats}, load {os.getloadavg()[0]:.1f}'
    )
    fused = fuse(network)
    runs: dict[str, Run] = {'plain': network, 'fused': fused, 'traced': traced(fused, images)}
    if args.compile:
        runs['compiled'] = compiled(fused, images)
    with tempfile.TemporaryDirectory() as folder:
        runs |= engines(network, size, folder)
        alternate(runs, images, args.repeats)


if __name__ == '__main__':
    main()
