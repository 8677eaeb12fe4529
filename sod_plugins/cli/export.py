"""``sod export``: export a network for another engine."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sod_plugins.cli.arguments import add_path, add_size, file_path, require_writable_files
from sod_plugins.cli.output import add_json, report

HELP = 'write a network for ONNX Runtime or OpenVINO'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('checkpoint', type=file_path, metavar='CHECKPOINT')
    add_path(parser, '-o', '--out', metavar='FILE.onnx|FILE.xml', required=True, help='the file')
    add_path(parser, '--photo', help='image for checking the file (default: a synthetic scene)')
    add_size(parser, 'input size (default: that of the checkpoint)')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Export a network for another engine, and check it against torch."""
    from sod_plugins.checkpoints import load_network
    from sod_plugins.inference import export_network

    require_writable_files([args.out])
    check = export_network(
        load_network(args.checkpoint), args.out, size=args.size, photo=args.photo
    )
    report(
        args,
        {'out': args.out, 'photo': args.photo, 'difference': asdict(check)},
        str(args.out),
        f'differs from torch by {check.saliency:.1e} in saliency and {check.logits:.1e} in logits '
        f'on {args.photo or "a drawn scene"}',
    )
    return 0
