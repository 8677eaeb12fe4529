"""Training memory of ITDBU against N and T, and its time beside a straightforward loop, in one run.

    python benchmarks/itdbu.py [--size 112] [--batch 2] [--repeats 5] [--out itdbu.png]

Memory: the peak of the bytes that live tensors hold during forward and backward of the whole
network, with weights and gradients; on CUDA what the allocator reports. With checkpointing and
without, N = 1..5 at T = 2 and T = 1..4 at N = 3, drawn to an image (needs matplotlib).

Time: the baseline has the same weights, but convolves S and F again in every layer, the input and a
zero state at every step, and reads out every step also in inference. The two sides take turns;
CPU time is measured, so that other work on the machine disturbs both alike.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from peak_bytes import PeakBytes
from torch import Tensor, nn

from sod_plugins.networks import ITDBU, ITDBUDecoder

ITERATIONS, STEPS = range(1, 6), range(1, 5)


def training_memory(device: str, batch: int, size: int, **arguments: Any) -> float:
    """Return the peak in MiB of one forward and backward pass."""
    torch.manual_seed(0)
    network = ITDBU(**arguments).to(device)
    images = torch.randn(batch, 3, size, size, device=device)
    masks = torch.rand(batch, 1, size, size, device=device)

    def step() -> None:
        sum(network.losses(images, masks).values()).backward()

    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
        step()
        return torch.cuda.max_memory_allocated() / 2**20
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    with PeakBytes() as counter:
        step()
    return (weights + counter.peak) / 2**20


def measure_memory(args: argparse.Namespace, device: str) -> dict[tuple[int, int, bool], float]:
    """Return MiB by N, T and checkpointing, and print them."""
    memory = {}
    print('peak of training memory in MiB: N, T, plain, checkpointed')
    for n, t in dict.fromkeys([*((n, 2) for n in ITERATIONS), *((3, t) for t in STEPS)]):
        for with_cp in (False, True):
            memory[n, t, with_cp] = training_memory(
                *(device, args.batch, args.size),
                backbone=args.backbone,
                iterations=n,
                steps=t,
                with_cp=with_cp,
            )
        print(f'  N = {n}  T = {t}  {memory[n, t, False]:8.1f}  {memory[n, t, True]:8.1f}')
    return memory


def draw_memory(memory: dict[tuple[int, int, bool], float], title: str, path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout='constrained')
    by_n, by_t = figure.subplots(1, 2, sharey=True)
    for with_cp, name in ((False, 'plain'), (True, 'checkpointed')):
        by_n.plot(ITERATIONS, [memory[n, 2, with_cp] for n in ITERATIONS], 'o-', label=name)
        by_t.plot(STEPS, [memory[3, t, with_cp] for t in STEPS], 'o-', label=name)
    by_n.set(xlabel='iterations N (T = 2)', ylabel='training memory, MiB', xticks=ITERATIONS)
    by_t.set(xlabel='steps T (N = 3)', xticks=STEPS, ylim=(0, None))
    for axes in (by_n, by_t):
        axes.grid(alpha=0.3)
    by_n.legend()
    figure.suptitle(title)
    figure.savefig(path, dpi=120)
    print(f'drawn to {path}')


def plain_loop(decoder: ITDBUDecoder, maps: Sequence[Tensor]) -> list[Tensor]:
    """Run the decoder with its weights, but by Eq. 1 to 5 as they stand (convGRU only)."""
    outputs = []
    saliency = None
    for place, layer_name, unify_name in decoder.visits:
        features = maps[place.level - 1]
        size = (features.shape[-2], features.shape[-1])
        saliency = (
            features.new_zeros(len(features), 1, *size)
            if saliency is None
            else F.interpolate(saliency, size=size, mode='bilinear')
        )
        unify, layer = decoder.unify[unify_name], decoder.layers[layer_name]
        x = unify.norm(F.conv2d(features, unify.weight[:, -features.shape[1] :], unify.bias))
        if unify.with_saliency:
            x = x + F.conv2d(saliency, unify.weight[:, :1])
        x = x.relu()
        hidden = features.new_zeros(len(features), decoder.hidden_channels, *size)
        for _ in range(decoder.steps):
            hidden = gru_step(layer.cell, x, hidden)
            logits = layer.readout(hidden)
            outputs.append(logits)
        saliency = logits.sigmoid()
    return outputs


def gru_step(cell: nn.Module, x: Tensor, hidden: Tensor) -> Tensor:
    from_input = cell.conv_input(x).chunk(3, 1)
    from_hidden = cell.conv_hidden(hidden).chunk(3, 1)
    reset, update = (
        (a + b).sigmoid() for a, b in zip(from_input[:2], from_hidden[:2], strict=True)
    )
    new = (from_input[2] + reset * from_hidden[2]).tanh()
    return (1 - update) * new + update * hidden


def compare(
    name: str, sides: dict[str, Callable[[], None]], repeats: int, clock: Callable[[], float]
) -> None:
    """Time the two sides in turns and print medians and their ratio."""
    times: dict[str, list[float]] = {side: [] for side in sides}
    for repeat in range(repeats + 1):
        for side, run in sides.items():
            start = clock()
            run()
            if repeat:  # the first run allocates
                times[side].append(clock() - start)
    medians = [statistics.median(values) for values in times.values()]
    ratio = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
    parts = [f'{side} {1000 * m:7.1f} ms' for side, m in zip(times, medians, strict=True)]
    print(
        f'  {name:<24} {", ".join(parts)}, ratio {medians[1] / medians[0]:.2f} '
        f'(median of paired ratios {ratio:.2f})'
    )


def measure_time(args: argparse.Namespace, device: str) -> None:
    torch.manual_seed(0)
    network = ITDBU(args.backbone).to(device).eval()
    decoder = network.decode_head
    images = torch.randn(args.batch, 3, args.size, args.size, device=device)
    masks = torch.rand(args.batch, 1, args.size, args.size, device=device)
    with torch.no_grad():
        maps = [x.detach() for x in network.backbone(images)]
        last = plain_loop(decoder, maps)[-1]
        difference = (last - decoder(maps)).abs().max().item()
    print(f'largest difference of the last logits {difference:.1e}')
    clock = time.perf_counter if device == 'cuda' else time.process_time

    def synchronize() -> None:
        if device == 'cuda':
            torch.cuda.synchronize()

    def train(forward: Callable[[], list[Tensor]]) -> Callable[[], None]:
        def run() -> None:
            network.train()
            network.zero_grad()
            sum(decoder.losses(forward(), masks).values()).backward()
            synchronize()

        return run

    def infer(forward: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            network.eval()
            with torch.inference_mode():
                forward()
            synchronize()

        return run

    leaves = [x.requires_grad_() for x in maps]
    cases = {
        'decoder': (lambda: decoder(leaves), lambda: plain_loop(decoder, leaves)),
        'whole network': (
            lambda: network(images),
            lambda: plain_loop(decoder, network.backbone(images)),
        ),
    }

    def checkpointed() -> list[Tensor]:
        decoder.with_cp = True
        outputs = network(images)
        decoder.with_cp = False
        return outputs

    print(f'medians of {args.repeats}')
    for name, (ours, loop) in cases.items():
        for kind, wrap in (('training', train), ('inference', infer)):
            sides = {'ITDBU': wrap(ours), 'loop': wrap(loop)}
            compare(f'{name}, {kind}', sides, args.repeats, clock)
    sides = {'plain': train(lambda: network(images)), 'checkpointed': train(checkpointed)}
    compare('whole network, training', sides, args.repeats, clock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('--backbone', default='vgg16', help='name of a preset')
    parser.add_argument('--size', type=int, default=112, help='height and width of the images')
    parser.add_argument('--batch', type=int, default=2)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', default='itdbu.png', help='image file of the memory')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    machine = torch.cuda.get_device_name() if device == 'cuda' else platform.machine()
    case = f'ITDBU on {args.backbone}, {args.batch} x {args.size} x {args.size}, {machine}'
    print(f'torch {torch.__version__}, {case}')
    measure_time(args, device)
    draw_memory(measure_memory(args, device), case, args.out)


if __name__ == '__main__':
    main()
