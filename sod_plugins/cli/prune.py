"""``sod prune``: remove channels from a CSNet."""

from __future__ import annotations

import argparse

from sod_plugins._common.names import PRUNING_RULES
from sod_plugins.cli.arguments import add_path, file_path, require_writable_files
from sod_plugins.cli.output import add_json, report

HELP = 'remove dispensable channels from a CSNet'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=file_path, metavar='CHECKPOINT')
    add_path(parser, '-o', '--out', metavar='OUT.pth', required=True, help='the smaller network')
    extent = parser.add_mutually_exclusive_group(required=True)
    extent.add_argument(
        '--threshold',
        type=float,
        metavar='T',
        help='remove channels with a lower score (paper: 1e-20)',
    )
    extent.add_argument(
        '--ratio',
        type=float,
        metavar='R',
        help='fraction of parameters to keep; all layers and scales lose the same fraction',
    )
    parser.add_argument(
        '--rule',
        choices=PRUNING_RULES,
        default=PRUNING_RULES[0],
        help='scoring rule for channels (default: %(default)s, of the normalisation)',
    )
    parser.add_argument(
        '--at-least',
        type=int,
        default=0,
        metavar='N',
        help='channels that a layer keeps regardless of the threshold (default: %(default)s)',
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Remove channels from a CSNet."""
    from sod_plugins.analysis.facts import COUNTS, measure_network
    from sod_plugins.checkpoints import load_network, save_network
    from sod_plugins.networks import CSNet
    from sod_plugins.optim import prune

    require_writable_files([args.out])
    network = load_network(args.checkpoint)
    if not isinstance(network, CSNet):
        kind = type(network).__name__
        raise ValueError(f'{args.checkpoint} holds a network {kind!r}; only a CSNet can be pruned.')
    pruned = prune(
        network,
        threshold=args.threshold,
        ratio=args.ratio,
        rule=args.rule,
        at_least=args.at_least,
    )
    save_network(args.out, pruned)
    before, after = measure_network(network), measure_network(pruned)
    document, lines = {'out': args.out}, [str(args.out)]
    for key, name in COUNTS.items():
        document[key] = {'before': before[key], 'after': after[key]}
        left = after[key] / before[key]
        lines.append(f'{name + ":":30}{before[key]:,} -> {after[key]:,} ({left:.1%} left)')
    report(args, document, *lines)
    return 0
