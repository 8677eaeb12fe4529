"""``sod attention``: where pixels look, in a PiCANet."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_path, file_path, pixel, require_writable_files
from sod_plugins.cli.output import add_json, report

HELP = 'draw where pixels look, in a PiCANet'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('image', type=file_path, metavar='IMAGE')
    add_path(parser, '--checkpoint', required=True, help='a PiCANet')
    parser.add_argument(
        '--pixel',
        type=pixel,
        action='append',
        required=True,
        metavar='X,Y',
        help='pixel whose attention to draw, counted from 0; repeatable',
    )
    add_path(parser, '-o', '--out', metavar='OUT.png', required=True, help='the figure')
    parser.add_argument('--device', help='device, such as cpu or cuda:1')
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Draw where chosen pixels look."""
    from sod_plugins.inference import save_attention

    require_writable_files([args.out])
    save_attention(args.out, args.checkpoint, args.image, args.pixel, args.device)
    report(args, {'out': args.out}, str(args.out))
    return 0
