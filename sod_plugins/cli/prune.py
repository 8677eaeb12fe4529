"""``sod prune``: remove channels from a CSNet."""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins._common.names import PRUNING_RULES
from sod_plugins.cli.arguments import add_path, require_writable_files

HELP = 'remove dispensable channels from a CSNet'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
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


def run(args: argparse.Namespace) -> int:
    """Remove channels from a CSNet."""
    from sod_plugins.analysis.complexity import count_macs, count_macs_csnet, count_parameters
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
    print(args.out)
    size = network.preprocessing.size
    for name, count in (
        ('parameters', count_parameters),
        ('MACs', lambda net: count_macs(net, size)),
        ("MACs, CSNet authors' counter", lambda net: count_macs_csnet(net, size)),
    ):
        before, after = count(network), count(pruned)
        print(f'{name + ":":30}{before:,} -> {after:,} ({after / before:.1%} left)')
    return 0
