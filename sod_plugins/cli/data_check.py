"""``sod data-check``: report the content of a data set."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_exif, add_path, file_path
from sod_plugins.cli.output import add_json, print_json

HELP = 'read a data set and report its content'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('root', type=file_path, metavar='DIR')
    parser.add_argument(
        '--preset', metavar='NAME', help='compare with a published data set, such as duts-tr'
    )
    add_path(parser, '--list', help='text file that selects images, one stem or path per line')
    for role in ('image', 'mask'):
        parser.add_argument(
            f'--{role}-dir', metavar='DIR', help=f'folder of {role}s below the root'
        )
        for part in ('prefix', 'suffix'):
            parser.add_argument(
                f'--{role}-{part}', default='', metavar='TEXT', help=f'{part} of {role} names'
            )
    add_exif(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Read a data set and report its content."""
    from sod_plugins.data import FolderLayout, check_dataset

    layout = FolderLayout(
        root=args.root,
        image_dir=args.image_dir,
        mask_dir=args.mask_dir,
        list_file=args.list,
        image_prefix=args.image_prefix,
        image_suffix=args.image_suffix,
        mask_prefix=args.mask_prefix,
        mask_suffix=args.mask_suffix,
        exif=args.exif,
    )
    checked = check_dataset(layout, preset=args.preset, progress=not args.quiet)
    if args.json:
        print_json(checked.to_dict())
    else:
        print(checked.format())
    return 0 if checked.ok else 1
