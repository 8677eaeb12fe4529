r"""Show what weight decay did to the channels of CSNets (Fig. 4, 5, 10 and 13 of the paper).

    python tools/analysis_tools/csnet_sparsity.py dynamic=dynamic.pth standard=standard.pth \
        -o sparsity --threshold 1e-6 --images data/msra10k/images --list data/msra10k/val.txt

Prints, as Markdown, the widest gap among each network's gammas and what thresholds would leave of
it: channels, parameters and multiply-accumulates at its input size. Saves in DIR

    gammas.png    distribution of log10 |gamma|, of the gOctConvs that decide about pruning (Fig. 5)
    channels.png  channels of every ILBlock that a threshold leaves, by scale (Fig. 10)
    outputs.png   with --images: standard deviation of the outputs among channels (Fig. 4): at each
                  position of a layer's output, after normalisation and activation, over the
                  channels of a scale; averaged over positions, images and scales

A file is a checkpoint of tools/train.py or a network. A gamma of exactly zero, as tools/train.py
flushes those below 1e-38 to, stands at 1e-45, the smallest float32.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sod_plugins.analysis.complexity import count_macs, count_parameters
from sod_plugins.data import DataError, listed_stems, read_image, require_writable
from sod_plugins.inference import collect_images
from sod_plugins.layers.goctconv import GOctConvNormAct
from sod_plugins.networks import CSNet, load_network
from sod_plugins.optim import remove_channels, select_channels
from sod_plugins.optim.channel_selection import channel_groups
from sod_plugins.optim.denormals import flush_denormals
from sod_plugins.visualization.curves import COLORS, require_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLE_10 = (1e-2, 8e-3, 6e-3, 5e-3, 3e-3, 1e-3, 1e-5, 1e-10, 1e-15, 1e-20)
SMALLEST = 1e-45
PARTS = {'backbone': 'ILBlocks, first gOctConv', 'decode_head': 'cross-stage fusion'}


class Gap(NamedTuple):
    """The widest empty interval that has at least a twentieth of the values on either side."""

    low: float
    high: float
    below: int
    total: int


def gammas(network: CSNet, part: str) -> NDArray[np.float64]:
    """Return |gamma| of all channels that pruning decides about, in a part of the network."""
    values = [
        gamma.abs().double()
        for group in channel_groups(network)
        if group.name.startswith(part)
        for gamma in group.gammas
    ]
    return np.maximum(torch.cat([torch.empty(0), *values]).numpy(), SMALLEST)


def widest_gap(values: NDArray[np.float64]) -> Gap:
    """Find the widest empty interval on the logarithmic axis."""
    ordered = np.sort(values)
    edge = len(ordered) // 20
    index = edge + int(np.argmax(np.diff(np.log10(ordered[edge : len(ordered) - edge]))))
    return Gap(ordered[index], ordered[index + 1], index + 1, len(ordered))


def format_gaps(networks: Mapping[str, CSNet]) -> str:
    """Say where the gammas of the ILBlocks leave room for a threshold."""
    lines = ['| network | widest gap of gamma in the ILBlocks | channels below |', '|---|---|---:|']
    for name, network in networks.items():
        gap = widest_gap(gammas(network, 'backbone'))
        lines.append(f'| {name} | {gap.low:.1e} to {gap.high:.1e} | {gap.below} of {gap.total} |')
    return '\n'.join(lines)


def format_table(
    networks: Mapping[str, CSNet], thresholds: Iterable[float], at_least: int = 0
) -> str:
    """Return what thresholds leave of the networks, as Markdown."""
    lines = ['| network | threshold | channels | parameters | MACs |', '|---|---:|---:|---:|---:|']
    for name, network in networks.items():
        lines.append(_row(name, 'none', network, network))
        for threshold in sorted(thresholds):
            try:
                masks = select_channels(network, threshold=threshold, at_least=at_least)
            except ValueError as error:  # a layer would vanish
                lines.append(f'| {name} | {threshold:g} | {str(error).partition(";")[0]} | | |')
            else:
                lines.append(_row(name, f'{threshold:g}', network, remove_channels(network, masks)))
    return '\n'.join(lines)


def _row(name: str, threshold: str, full: CSNet, left: CSNet) -> str:
    channels = [sum(sum(g.channels) for g in channel_groups(net)) for net in (full, left)]
    size = full.preprocessing.size
    macs = [count_macs(net, size) for net in (full, left)]
    cells = (
        *(name, threshold, f'{channels[1]:,} ({channels[1] / channels[0]:.0%})'),
        f'{count_parameters(left):,} ({count_parameters(left) / count_parameters(full):.0%})',
        f'{macs[1] / 1e9:.4f}G ({macs[1] / macs[0]:.0%})',
    )
    return f'| {" | ".join(cells)} |'


def draw_gammas(networks: Mapping[str, CSNet], threshold: float) -> Figure:
    """Draw the distribution of log10 |gamma|, one panel for each part of the networks."""
    figure, panels = _panels(len(PARTS), width=5.5)
    for axes, (part, title) in zip(panels, PARTS.items(), strict=True):
        logs = {name: np.log10(gammas(network, part)) for name, network in networks.items()}
        lowest = min((float(values.min()) for values in logs.values() if len(values)), default=0.0)
        bins = np.linspace(np.floor(lowest), 1, 51)
        for (name, values), color in zip(logs.items(), COLORS, strict=False):
            axes.hist(values, bins, histtype='stepfilled', alpha=0.25, color=color)
            axes.hist(values, bins, histtype='step', color=color, linewidth=1.5, label=name)
        if np.log10(threshold) > bins[0]:
            axes.axvline(np.log10(threshold), color='0.3', linestyle=':', label=f'{threshold:g}')
        axes.set_yscale('symlog', linthresh=10)
        axes.set(title=title, xlabel=r'$\log_{10} |\gamma|$', ylabel='channels')
        axes.legend(frameon=False)
    return figure


def remaining_widths(network: CSNet, threshold: float) -> list[tuple[int, ...]]:
    """Count the channels of every ILBlock that have a gamma of at least the threshold, by scale."""
    return [
        tuple(int((gamma.abs() >= threshold).sum()) for gamma in group.gammas)
        for group in channel_groups(network)
        if group.name.startswith('backbone')
    ]


def draw_channels(networks: Mapping[str, CSNet], threshold: float) -> Figure:
    """Draw the channels that a threshold leaves in every ILBlock, one panel for each scale."""
    widths = {'fixed channels': _fixed_widths(next(iter(networks.values())))}
    widths |= {name: remaining_widths(network, threshold) for name, network in networks.items()}
    figure, panels = _panels(2, width=7.5)
    bar = 0.8 / len(widths)
    for scale, (axes, title) in enumerate(zip(panels, ('high', 'low'), strict=True)):
        for index, (name, blocks) in enumerate(widths.items()):
            heights = [block[scale] if scale < len(block) else 0 for block in blocks]
            places = np.arange(len(blocks)) + (index - (len(widths) - 1) / 2) * bar
            color = COLORS[index - 1] if index else '0.75'
            axes.bar(places, heights, bar, color=color, label=name)
        axes.set(title=f'{title} resolution', xlabel='ILBlock', ylabel='channels')
        axes.set_xticks(range(0, len(widths['fixed channels']), 2))
    panels[0].legend(frameon=False, title=rf'$|\gamma| \geq$ {threshold:g}')
    return figure


def _fixed_widths(network: CSNet) -> list[tuple[int, ...]]:
    """Return the widths that a network had before it was pruned."""
    whole = CSNet(**{**network.arguments, 'learned_widths': None})
    return list(whole.backbone.block_widths)


@torch.inference_mode()
def output_deviations(network: CSNet, images: Sequence[Path]) -> list[float]:
    """Return the standard deviation among channels of every layer's output in the extractor."""
    layers = [m for m in network.backbone.modules() if isinstance(m, GOctConvNormAct)]
    sums = dict.fromkeys(layers, 0.0)

    def observe(layer: nn.Module, inputs: Any, outputs: Sequence[Tensor | None]) -> None:
        scales = [y.std(1, correction=0).mean().item() for y in outputs if y is not None]
        sums[layer] += sum(scales) / len(scales)  # type: ignore[index]  # one of the layers

    handles = [layer.register_forward_hook(observe) for layer in layers]
    flush_denormals()
    for path in images:
        network(network.preprocessing.apply(read_image(path)))
    torch.set_flush_denormal(False)  # numpy, and with it matplotlib, warns of it
    for handle in handles:
        handle.remove()
    return [total / len(images) for total in sums.values()]


def draw_outputs(deviations: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the deviations of all layers, the network's input on the left."""
    figure, (axes,) = _panels(1, width=8)
    for (name, values), color in zip(deviations.items(), COLORS, strict=False):
        label = f'{name}, mean {np.mean(values):.3g}'
        axes.plot(np.arange(len(values)) / 3, values, color=color, linewidth=1.5, label=label)
    axes.set(xlabel='ILBlock (three layers each)', ylabel='standard deviation among channels')
    axes.set_yscale('log')
    axes.legend(frameon=False)
    return figure


def _panels(count: int, width: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(count * width, 4), layout='constrained')
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes in panels:
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(alpha=0.25, axis='y')
        axes.set_axisbelow(True)
    return figure, panels


def _find_images(paths: Sequence[str], list_file: Path | None, count: int) -> list[Path]:
    by_stem = {path.stem: path for path in collect_images(paths)}
    stems = list(by_stem) if list_file is None else listed_stems(list_file)
    chosen = list(islice((by_stem[stem] for stem in stems if stem in by_stem), count))
    if not chosen:
        raise DataError(f"none of the images that '{list_file}' names is there.")
    return chosen


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, print the tables and save the figures."""
    args = _parser().parse_args(argv)
    try:
        require_matplotlib()
        require_writable(args.out_dir)
        images = _find_images(args.images, args.list, args.count) if args.images else []
        networks = {name: _read(path) for name, path in args.checkpoints}
        if len(networks) < len(args.checkpoints) or len(networks) > len(COLORS):
            raise ValueError(f'name at most {len(COLORS)} networks, each by another NAME.')
        args.out_dir.mkdir(parents=True, exist_ok=True)
        figures = {
            'gammas': draw_gammas(networks, args.threshold),
            'channels': draw_channels(networks, args.threshold),
        }
        if images:
            deviations = {name: output_deviations(net, images) for name, net in networks.items()}
            figures['outputs'] = draw_outputs(deviations)
        for name, figure in figures.items():
            save_figure(figure, args.out_dir / f'{name}.png', dpi=110)
        print(format_gaps(networks), end='\n\n')
        print(format_table(networks, {args.threshold, *args.thresholds}, args.at_least))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'csnet_sparsity.py: error: {error}')


def _read(path: Path) -> CSNet:
    network = load_network(path)
    if not isinstance(network, CSNet):
        raise ValueError(f"'{path}' is a {type(network).__name__}, not a CSNet.")
    return network


def _named_file(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition('=')
    return (name, Path(path)) if equals else (Path(text).stem, Path(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'checkpoints', nargs='+', type=_named_file, metavar='[NAME=]FILE', help='CSNets to compare'
    )
    parser.add_argument('-o', '--out-dir', type=Path, metavar='DIR', required=True)
    parser.add_argument(
        '--threshold',
        type=float,
        default=1e-20,
        metavar='T',
        help='threshold of channels.png (default: %(default)s)',
    )
    parser.add_argument(
        '--thresholds',
        type=float,
        nargs='*',
        default=TABLE_10,
        metavar='T',
        help='thresholds of the table (default: those of Tab. 10)',
    )
    parser.add_argument(
        '--at-least',
        type=int,
        default=0,
        metavar='N',
        help='channels that a layer keeps in the table whatever the threshold (default: 0)',
    )
    parser.add_argument('--images', nargs='*', metavar='IMAGE', help='draw outputs.png from these')
    parser.add_argument('--list', type=Path, metavar='FILE', help='images to take, one a line')
    parser.add_argument(
        '--count', type=int, default=100, metavar='N', help='of these the first N (default: 100)'
    )
    return parser


if __name__ == '__main__':
    main()
