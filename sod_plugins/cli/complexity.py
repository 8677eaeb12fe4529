"""``sod complexity``: parameters and multiply-accumulates."""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.cli.arguments import add_size

HELP = 'count parameters and multiply-accumulates'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=Path, metavar='CHECKPOINT')
    add_size(parser, 'input size (default: that of the checkpoint)')


def run(args: argparse.Namespace) -> int:
    """Count parameters and multiply-accumulates."""
    from sod_plugins.analysis.facts import network_facts

    for name, value in network_facts(args.checkpoint, args.size and tuple(args.size)).items():
        print(f'{name + ":":30}{value}')
    return 0
