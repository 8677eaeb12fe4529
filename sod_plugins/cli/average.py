"""``sod average``: average the weights of networks."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import (
    add_half,
    add_path,
    add_size,
    file_path,
    require_writable_files,
)
from sod_plugins.cli.output import add_json, report

HELP = 'average the weights of networks of one structure'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        'checkpoints',
        type=file_path,
        nargs='+',
        metavar='CHECKPOINT',
        help='two or more checkpoints',
    )
    add_path(parser, '-o', '--out', required=True, help='output file')
    parser.add_argument(
        '--weights',
        type=float,
        nargs='+',
        metavar='W',
        help='the share of each checkpoint, 1 in sum (default: equal shares)',
    )
    add_half(parser)
    add_size(parser, 'input size that the file states (default: that of the last checkpoint)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Average the weights of networks."""
    from sod_plugins.checkpoints import average_networks, save_network

    require_writable_files([args.out])
    network = average_networks(args.checkpoints, args.weights)
    preprocessing = network.preprocessing.with_size(args.size)
    save_network(args.out, network, preprocessing, args.half)
    report(args, {'out': args.out, 'half': args.half}, str(args.out))
    return 0
