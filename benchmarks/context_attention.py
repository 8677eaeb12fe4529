"""What local attention costs beside the plain unfolding implementation, in one run.

    python benchmarks/context_attention.py [--size 56] [--channels 256] [--out memory.png]

Time of pooling and of the convolution (to half the channels), forward and backward; the two sides
take turns, so that other work on the machine disturbs both alike. On a CPU it is CPU time.

Extra memory: the peak of the bytes that live tensors hold during forward and backward beyond the
inputs, the result and all their gradients. Against the window's size k, with the extent that it has
in the paper, it is drawn to an image (needs matplotlib).
"""

from __future__ import annotations

import argparse
import platform
import statistics
from collections.abc import Sequence

import torch
from peak_bytes import PeakBytes
from timing import seconds
from torch import Tensor

from sod_plugins.ops import attention_conv, local_attention_pool

SIDES = ('fused', 'reference')
EXTENT = 12  # dilation * (k - 1) of the paper's window
KERNELS = (3, 5, 7, 13)  # those that reach as far in whole steps, and have a centre
OPERATORS = ('pooling', 'convolution')


def make_inputs(args: argparse.Namespace, operator: str, k: int, device: str) -> list[Tensor]:
    """Features, weights or gates, and a convolution's weight."""
    torch.manual_seed(0)
    c, size = args.channels, args.size
    inputs = [
        torch.randn(args.batch, c, size, size, device=device),
        torch.randn(args.batch, k * k, size, size, device=device).softmax(1),
    ]
    if operator == 'convolution':
        inputs.append(torch.randn(c // 2, c, k, k, device=device) / (k * c**0.5))
    return [x.requires_grad_() for x in inputs]


def apply(operator: str, inputs: Sequence[Tensor], k: int, side: str) -> Tensor:
    if operator == 'convolution':
        return attention_conv(*inputs, dilation=EXTENT // (k - 1), implementation=side)
    return local_attention_pool(*inputs, k, EXTENT // (k - 1), implementation=side)


def measure_time(args: argparse.Namespace, operator: str, device: str) -> None:
    """Print medians and ratios of forward and backward."""
    inputs = make_inputs(args, operator, args.kernel, device)
    times: dict[tuple[str, str], list[float]] = {}
    with torch.no_grad():
        grad = torch.ones_like(apply(operator, inputs, args.kernel, SIDES[0]))
    for repeat in range(args.repeats + 1):
        for side in SIDES:
            outputs: list[Tensor] = []

            def forward(side: str = side, outputs: list[Tensor] = outputs) -> None:
                outputs.append(apply(operator, inputs, args.kernel, side))

            def backward(outputs: list[Tensor] = outputs) -> None:
                torch.autograd.grad(outputs[0], inputs, grad)

            took = seconds(forward, device)
            for direction, spent in (('forward', took), ('backward', seconds(backward, device))):
                if repeat:  # the first run allocates
                    times.setdefault((direction, side), []).append(spent)
    for direction in ('forward', 'backward'):
        fused, reference = (1000 * statistics.median(times[direction, side]) for side in SIDES)
        print(
            f'{operator:>12} {direction:>9}: fused {fused:7.1f} ms, reference {reference:7.1f} ms, '
            f'{reference / fused:.1f} times faster'
        )


def extra_memory(
    args: argparse.Namespace, operator: str, k: int, side: str, train: bool, device: str
) -> float:
    """Return MiB beyond what the caller owns: inputs and result, in training their gradients."""
    with PeakBytes() as counter:
        inputs = make_inputs(args, operator, k, device)
        counter.peak = counter.now  # not what making the inputs took
        with torch.set_grad_enabled(train):
            out = apply(operator, inputs, k, side)
        owned = [*inputs, out]
        if train:
            grad = torch.ones_like(out)
            owned += [grad, *torch.autograd.grad(out, inputs, grad)]
    return (counter.peak - sum(x.nbytes for x in owned)) / 2**20


def measure_memory(args: argparse.Namespace, device: str) -> dict[tuple[str, str], list[float]]:
    """Print the ratios, and return MiB in training by operator and side, for every k."""
    memory: dict[tuple[str, str], list[float]] = {}
    for operator in OPERATORS:
        for train in (False, True):
            fused, reference = (
                extra_memory(args, operator, args.kernel, side, train, device) for side in SIDES
            )
            print(
                f'{operator:>12} {"training" if train else "inference":>9}: fused {fused:6.1f} MiB '
                f'extra, reference {reference:6.1f} MiB, 1/{reference / fused:.0f}'
            )
        for side in SIDES:
            memory[operator, side] = [
                extra_memory(args, operator, k, side, True, device) for k in KERNELS
            ]
        growth = ', '.join(f'{x:.1f}' for x in memory[operator, 'fused'])
        print(f'{operator:>12}  training: fused {growth} MiB extra at k = {KERNELS}')
    return memory


def draw_memory(memory: dict[tuple[str, str], list[float]], title: str, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout='constrained')
    for axes, operator in zip(figure.subplots(1, 2, sharey=True), OPERATORS, strict=True):
        for side in SIDES:
            axes.plot(KERNELS, memory[operator, side], 'o-', label=side)
        axes.set(xlabel='window k x k', title=operator, xticks=KERNELS, yscale='log')
        axes.grid(alpha=0.3)
    figure.axes[0].set(ylabel='extra memory in training, MiB')
    figure.axes[0].legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=150)
    print(f'memory drawn to {path}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--size', type=int, default=56, help='height and width of the maps')
    parser.add_argument('--channels', type=int, default=256)
    parser.add_argument('--batch', type=int, default=1)
    parser.add_argument('--kernel', type=int, default=7, choices=KERNELS, help='k of the ratios')
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', default='context_attention.png', help='image file of the memory')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    machine = torch.cuda.get_device_name() if device == 'cuda' else platform.machine()
    case = f'{args.batch} x {args.channels} x {args.size} x {args.size}, {machine}'
    print(f'torch {torch.__version__}, {case}, k = {args.kernel}, medians of {args.repeats}')
    for operator in OPERATORS:
        measure_time(args, operator, device)
    draw_memory(measure_memory(args, device), case, args.out)


if __name__ == '__main__':
    main()
