"""What a gOctConv costs beside an ordinary convolution of the same width, in one run.

    python benchmarks/octave_conv.py [--size 112] [--channels 40] [--batch 8] [--repeats 15]

Baselines, on all channels at the high resolution: ``nn.Conv2d`` for the vanilla and the
cross-stage instance, a depthwise ``nn.Conv2d`` for the simplified one. Forward and backward, one
thread; the two sides take turns and CPU time is measured, so that other work disturbs both alike.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from sod_plugins.layers import GOctConv


def make_cases(channels: int) -> dict[str, tuple[tuple[int, ...], nn.Module, nn.Module]]:
    """Name: (channels of the input scales, gOctConv, baseline)."""
    half, third = channels // 2, channels // 3
    two, three = (half, half), (third, third, third)
    return {
        'vanilla 1x1': (two, GOctConv(two, two, 1), nn.Conv2d(channels, channels, 1, bias=False)),
        'vanilla 3x3': (
            two,
            GOctConv(two, two, 3),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
        ),
        'simplified 3x3': (
            two,
            GOctConv(two, two, 3, cross_scale=False),
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        ),
        'cross-stage 1x1, 3 to 1': (
            three,
            GOctConv(three, (channels,), 1),
            nn.Conv2d(3 * third, channels, 1, bias=False),
        ),
    }


def run(module: Callable[..., Tensor | list[Tensor]], inputs: Tensor | list[Tensor]) -> None:
    outputs = module(inputs)
    maps = outputs if isinstance(outputs, list) else [outputs]
    torch.autograd.backward(maps, [torch.ones_like(y) for y in maps])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--size', type=int, default=112, help='height and width of the high scale')
    parser.add_argument('--channels', type=int, default=40, help='channels of all scales together')
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--repeats', type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f'torch {torch.__version__}, medians of {args.repeats}, forward and backward')
    for name, (widths, octave, baseline) in make_cases(args.channels).items():
        maps = [
            torch.randn(args.batch, c, args.size >> s, args.size >> s, requires_grad=True)
            for s, c in enumerate(widths)
        ]
        dense = torch.randn(args.batch, sum(widths), args.size, args.size, requires_grad=True)
        times: dict[str, list[float]] = {'octave': [], 'dense': []}
        for repeat in range(args.repeats + 2):
            for side, module, inputs in (('octave', octave, maps), ('dense', baseline, dense)):
                start = time.process_time()
                run(module, inputs)
                if repeat >= 2:  # the first runs allocate
                    times[side].append(time.process_time() - start)
        octave_ms, dense_ms = (1000 * statistics.median(values) for values in times.values())
        print(
            f'{name:>24}: gOctConv {octave_ms:7.1f} ms, nn.Conv2d {dense_ms:7.1f} ms, '
            f'ratio {octave_ms / dense_ms:.2f}'
        )


if __name__ == '__main__':
    main()
