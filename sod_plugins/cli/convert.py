"""``sod convert``: convert weights released by the papers' authors."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_quiet, file_path
from sod_plugins.cli.output import add_json, report

HELP = 'convert a checkpoint released by the authors of a paper'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add one subcommand per network with released weights."""
    networks = parser.add_subparsers(metavar='NETWORK', required=True)
    csnet = networks.add_parser('csnet', help='a CSNet: its .pth.tar and the .bin next to it')
    csnet.add_argument(
        'checkpoint', type=file_path, metavar='CHECKPOINT', help='released .pth.tar file'
    )
    csnet.add_argument(
        'widths', type=file_path, metavar='WIDTHS', help='released .bin file of widths'
    )
    csnet.add_argument('out', type=file_path, metavar='OUT', help='file to write')
    csnet.set_defaults(network='csnet')
    samnet = networks.add_parser('samnet', help='a SAMNet, or its ImageNet backbone')
    samnet.add_argument(
        'checkpoint', type=file_path, metavar='CHECKPOINT', help='released .pth file'
    )
    samnet.add_argument('out', type=file_path, metavar='OUT', help='file to write')
    samnet.set_defaults(network='samnet')
    for verb in (csnet, samnet):
        add_json(verb)
        add_quiet(verb, default=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Convert released weights, and report the network."""
    from sod_plugins.analysis import count_parameters
    from sod_plugins.checkpoints.converters import csnet, samnet

    network = (
        csnet.convert(args.checkpoint, args.widths, args.out)
        if args.network == 'csnet'
        else samnet.convert(args.checkpoint, args.out)
    )
    kind, count = type(network).__name__, count_parameters(network)
    report(
        args,
        {'out': args.out, 'network': kind, 'parameters': count},
        f'{args.out}: {kind}, {count:,} parameters',
    )
    return 0
