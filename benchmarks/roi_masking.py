"""RoIMasking beside a loop over the regions: time and memory, in one run.

    python benchmarks/roi_masking.py [--regions 20] [--channels 256] [--size 40] [--repeats 20]

Forward and backward. The sides take turns, so that other work on the machine disturbs both alike;
on a CPU it is CPU time. Extra memory is the peak of the bytes that live tensors hold beyond the
inputs and the result; in the backward pass also beyond the gradient.

    operator   `sod_plugins.ops.roi_masking`
    loop       one region after the other: a mask from two rectangles, a product, and their stack

Both are quantised, the only form that a loop over rectangles has.
"""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Callable

import torch
from peak_bytes import PeakBytes
from timing import seconds
from torch import Tensor

from sod_plugins.ops import roi_masking

STRIDE = 8


def operator(features: Tensor, rois: Tensor) -> Tensor:
    return roi_masking(features, rois, 1 / STRIDE, quantized=True)


def loop(features: Tensor, rois: Tensor) -> Tensor:
    maps = []
    height, width = features.shape[2:]
    for index, x1, y1, x2, y2 in rois.tolist():
        left, top, right, bottom = (int(v // STRIDE) for v in (x1, y1, x2, y2))
        dx, dy = (right + 1 - left) // 3, (bottom + 1 - top) // 3
        mask = features.new_zeros(height, width)
        mask[max(top - dy, 0) : bottom + 1 + dy, max(left - dx, 0) : right + 1 + dx] = -1
        mask[top : bottom + 1, left : right + 1] = 1
        maps.append(features[int(index)] * mask)
    return torch.stack(maps)


def make_inputs(args: argparse.Namespace, device: str) -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    features = torch.rand(args.images, args.channels, args.size, args.size, device=device)
    corners = torch.rand(args.regions, 2, 2) * STRIDE * args.size
    boxes = torch.cat([corners.amin(1), corners.amax(1)], 1)
    images = torch.arange(args.regions)[:, None] % args.images
    return features.requires_grad_(), torch.cat([images, boxes], 1).to(device)


def extra_mib(side: Callable[[Tensor, Tensor], Tensor], features: Tensor, rois: Tensor) -> str:
    """Return the peaks of the forward and of the backward pass beyond what they give."""
    with PeakBytes() as counter:
        maps = side(features, rois)
    forward = counter.peak - maps.numel() * maps.element_size()
    gradient = torch.ones_like(maps)
    counter = PeakBytes()
    counter.seen.add(gradient.untyped_storage())  # was there before
    with counter:
        maps.backward(gradient)
    backward = counter.peak - features.numel() * features.element_size()
    features.grad = None
    return f'{forward / 2**20:8.2f} {backward / 2**20:8.2f}'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (
        ('images', 1),
        ('regions', 20),
        ('channels', 256),
        ('size', 40),
        ('repeats', 20),
    ):
        parser.add_argument(f'--{name}', type=int, default=default)
    args = parser.parse_args()
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if device == 'cpu':
        torch.set_num_threads(1)
    features, rois = make_inputs(args, device)
    sides = {'loop': loop, 'operator': operator}
    torch.testing.assert_close(operator(features, rois), loop(features, rois))
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in sides}
    gradient = torch.ones(args.regions, *features.shape[1:], device=device)
    for repeat in range(args.repeats + 2):
        for name, side in sides.items():
            maps: list[Tensor] = []
            forward = seconds(lambda s=side, m=maps: m.append(s(features, rois)), device)
            backward = seconds(lambda m=maps: m[0].backward(gradient), device)
            features.grad = None
            if repeat >= 2:
                times[name][0].append(forward)
                times[name][1].append(backward)
    shape = f'({args.images}, {args.channels}, {args.size}, {args.size})'
    print(f'torch {torch.__version__}, {device}, {platform.machine()}; features {shape}, ')
    print(f'{args.regions} regions; result {gradient.numel() * 4 / 2**20:.1f} MiB, in float32')
    print(f'{"":9} {"ms forward":>10} {"backward":>9}   MiB forward backward (extra)')
    medians = {n: [1e3 * statistics.median(t) for t in both] for n, both in times.items()}
    for name, side in sides.items():
        forward, backward = medians[name]
        print(f'{name:9} {forward:10.2f} {backward:9.2f}      {extra_mib(side, features, rois)}')
    ratios = [a / b for a, b in zip(medians['loop'], medians['operator'], strict=True)]
    print(f'{"loop / operator":15} {ratios[0]:4.2f} {ratios[1]:9.2f}')


if __name__ == '__main__':
    main()
