"""``sod extract``: extract the network of a training checkpoint."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_half, add_size, file_path, require_writable_files
from sod_plugins.cli.output import add_json, report

HELP = 'extract the network of a training checkpoint'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('training_checkpoint', type=file_path, metavar='TRAINING_CHECKPOINT')
    parser.add_argument('out', type=file_path, metavar='OUT')
    add_half(parser)
    add_size(parser, 'input size that the file states (default: that of the checkpoint)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Extract the network of a training checkpoint."""
    from sod_plugins.checkpoints import extract_network

    require_writable_files([args.out])
    extract_network(args.training_checkpoint, args.out, half=args.half, size=args.size)
    report(args, {'out': args.out, 'half': args.half}, str(args.out))
    return 0
