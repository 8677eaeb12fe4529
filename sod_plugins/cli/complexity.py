"""``sod complexity``: parameters and multiply-accumulates."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_size, file_path
from sod_plugins.cli.output import add_json, print_json

HELP = 'count parameters and multiply-accumulates'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=file_path, metavar='CHECKPOINT')
    add_size(parser, 'input size (default: that of the checkpoint)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Count parameters and multiply-accumulates."""
    from sod_plugins.analysis.facts import network_facts, network_measures

    if args.json:
        print_json(network_measures(args.checkpoint, args.size))
    else:
        for name, value in network_facts(args.checkpoint, args.size).items():
            print(f'{name + ":":30}{value}')
    return 0
