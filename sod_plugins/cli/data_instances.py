"""``sod data-instances``: convert labels of instances to COCO JSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins._common.names import LABEL_FORMATS
from sod_plugins.cli.arguments import add_path, file_path, require_writable_files
from sod_plugins.cli.output import add_json, report

HELP = 'convert labels of instances to COCO JSON'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('root', type=file_path, metavar='DIR')
    parser.add_argument(
        '--label-format',
        '--coding',
        dest='label_format',
        choices=LABEL_FORMATS,
        required=True,
        help='format of the labels (see docs/data.md)',
    )
    add_path(parser, '-o', '--out', required=True, help='output file, or output folder for a split')
    parser.add_argument('--image-dir', metavar='DIR', help='image folder below the root')
    parser.add_argument('--label-dir', metavar='DIR', help='label folder below the root')
    add_path(parser, '--list', help='text file that selects images, one stem or path per line')
    parser.add_argument(
        '--min-area', type=int, metavar='N', help='regions of fewer pixels become background'
    )
    parser.add_argument(
        '--split',
        type=int,
        nargs=3,
        metavar=('TRAIN', 'VAL', 'TEST'),
        help='sample parts with these numbers of images: train.json, val.json, test.json',
    )
    parser.add_argument(
        '--seed', type=int, default=0, metavar='N', help='seed of the split (default: 0)'
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write labels of instances as COCO JSON."""
    from sod_plugins.data import SPLITS, convert_instances, split_instances, write_instances

    sizes: dict[str, int] | None = args.split and dict(zip(SPLITS, args.split, strict=True))
    files: dict[str, Path] = (
        {name: args.out / f'{name}.json' for name in SPLITS} if sizes else {'': args.out}
    )
    require_writable_files([*files.values()])
    coco = convert_instances(
        args.root,
        args.label_format,
        image_dir=args.image_dir,
        label_dir=args.label_dir,
        list_file=args.list,
        min_area=args.min_area,
        progress=not args.quiet,
    )
    parts = split_instances(coco, sizes, args.seed) if sizes else {'': coco}
    written = []
    for name, part in parts.items():
        write_instances(files[name], part)
        counts = {'instances': len(part['annotations']), 'images': len(part['images'])}
        empty = counts['images'] - len({a['image_id'] for a in part['annotations']})
        written.append({'file': files[name], **counts, 'images_without': empty})
    lines = (
        f'{entry["file"]}: {entry["instances"]} instances in {entry["images"]} images, '
        f'{entry["images_without"]} of them without any'
        for entry in written
    )
    report(args, {'files': written}, *lines)
    return 0
