"""``sod data-synth``: generate synthetic scenes."""

from __future__ import annotations

import argparse

from sod_plugins._common.names import SPLITS
from sod_plugins.cli.arguments import file_path
from sod_plugins.cli.output import add_json, report

HELP = 'generate scenes with salient objects'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('out', type=file_path, metavar='OUT', help='a new or empty folder')
    parser.add_argument('--count', type=int, default=1000, metavar='N', help='default: %(default)s')
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(120, 160), metavar=('HEIGHT', 'WIDTH')
    )
    parser.add_argument(
        '--split', choices=SPLITS, default='train', help='no scene occurs in two splits'
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Generate scenes."""
    from sod_plugins.data import generate_scenes

    height, width = args.size
    folder = generate_scenes(
        args.out,
        args.count,
        seed=args.seed,
        size=(height, width),
        split=args.split,
        progress=not args.quiet,
    )
    report(args, {'out': folder, 'scenes': args.count}, f'{args.count} scenes in {folder}')
    return 0
