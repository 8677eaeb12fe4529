r"""Compare what CSNet needs for saliency with what it needs for classification (Tab. 4).

    python tools/analysis_tools/csnet_tasks.py saliency.pth classifier.pth --threshold 1e-20

Both networks were trained with dynamic weight decay, from the same width. Prints, as Markdown,
parameters and multiply-accumulates of each task's full network and of what a threshold on gamma
leaves of it, as `sod prune` chooses it. The columns are those of `sod complexity`: convolutions and
matrix products alone, and all by the CSNet authors' counter, which the paper's MACC are.

saliency.pth is a checkpoint of tools/train.py or a network file, classifier.pth a checkpoint of
tools/train.py by configs/csnet/*_classifier*.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import nn

from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
from sod_plugins.networks import CSNet, CSNetClassifier, load_classifier, load_network
from sod_plugins.optim import remove_channels, select_channels

HEAD = ('network', 'parameters', 'of full', 'convolutions', "by the authors' counter")


def pruned(network: CSNet, threshold: float, at_least: int) -> CSNet:
    """Return what a threshold leaves of a network, the network itself where that is all."""
    return remove_channels(
        network, select_channels(network, threshold=threshold, at_least=at_least)
    )


def rows(
    saliency: CSNet,
    classifier: CSNetClassifier,
    threshold: float,
    at_least: int,
    size: tuple[int, int],
) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each network: full and pruned, for saliency and for classification."""
    classes = classifier.classifier.out_features
    left = CSNetClassifier(pruned(classifier.to_saliency(), threshold, at_least), classes)
    for task, full, small in (
        ('saliency', saliency, pruned(saliency, threshold, at_least)),
        (f'{classes} classes', classifier, left),
    ):
        yield _cells(f'{task}, full', full, full, size)
        yield _cells(f'{task}, learned channels', small, full, size)


def _cells(
    name: str, network: nn.Module, full: nn.Module, size: tuple[int, int]
) -> tuple[str, ...]:
    parameters = count_parameters(network)
    return (
        name,
        f'{parameters:,}',
        f'{parameters / count_parameters(full):.0%}',
        f'{count_macs(network, size) / 1e9:.4f}G',
        f'{count_macs_csnet(network, size) / 1e9:.4f}G',
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and print the table."""
    args = _parser().parse_args(argv)
    try:
        saliency = load_network(args.saliency)
        if not isinstance(saliency, CSNet):
            raise ValueError(f"'{args.saliency}' is a {type(saliency).__name__}, not a CSNet.")
        classifier = load_classifier(args.classifier)
        table = list(rows(saliency, classifier, args.threshold, args.at_least, tuple(args.size)))
    except (OSError, ValueError) as error:
        sys.exit(f'csnet_tasks.py: error: {error}')
    for row in (HEAD, ('---', *['---:'] * (len(HEAD) - 1)), *table):
        print(f'| {" | ".join(row)} |')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('saliency', type=Path, metavar='SALIENCY')
    parser.add_argument('classifier', type=Path, metavar='CLASSIFIER')
    parser.add_argument(
        '--threshold', type=float, default=1e-20, metavar='T', help='default: %(default)s'
    )
    parser.add_argument(
        '--at-least', type=int, default=0, metavar='N', help='channels that every layer keeps'
    )
    parser.add_argument(
        '--size', type=int, nargs=2, default=(224, 224), metavar='N', help='default: 224 224'
    )
    return parser


if __name__ == '__main__':
    main()
