"""``sod predict``: saliency maps or salient instances of images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sod_plugins._common.names import BACKENDS
from sod_plugins.cli.arguments import add_exif, add_path

if TYPE_CHECKING:
    from sod_plugins.inference import PredictionSummary

HELP = 'save the saliency maps or the salient instances of images'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        'paths',
        nargs='+',
        metavar='PATH',
        help='image, folder or quoted pattern such as "shots/**/*.jpg"',
    )
    add_path(
        parser,
        '-o',
        '--out-dir',
        metavar='DIR',
        required=True,
        help='maps: DIR/<stem>.png; S4Net: DIR/instances.json',
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        '--model', metavar='NAME', help='a model that sod models lists (default: sod-small)'
    )
    network.add_argument(
        '--checkpoint', type=Path, metavar='FILE', help='a network, or what sod export wrote'
    )
    network.add_argument(
        '--instances', action='store_true', help='salient instances, by the default model for them'
    )
    parser.add_argument('--cutout', action='store_true', help='RGBA cut-outs too: DIR/cutout/')
    parser.add_argument(
        '--overlay', action='store_true', help='tinted images too: DIR/overlay/ (S4Net: always)'
    )
    parser.add_argument('--crf', action='store_true', help="fit the maps to the photos' edges")
    parser.add_argument('--overwrite', action='store_true', help='predict again what is done')
    parser.add_argument(
        '-r',
        '--recursive',
        action='store_true',
        help='take subfolders too, and keep the folders below DIR',
    )
    add_exif(parser)
    parser.add_argument('--device', help='such as cpu or cuda:1 (default: cuda where there is one)')
    parser.add_argument(
        '--backend',
        choices=BACKENDS,
        help='default: torch, or what reads the exported file; all others run on the CPU',
    )


def run(args: argparse.Namespace) -> int:
    """Write saliency maps or instances of images."""
    from sod_plugins.inference import (
        DenseCRF,
        model_file,
        open_network,
        predict_files,
        predict_instance_files,
    )

    path = args.checkpoint or model_file(
        args.model and f'zoo:{args.model}', 'instances' if args.instances else 'saliency'
    )
    network = open_network(path, args.backend)
    if getattr(network, 'task', 'saliency') == 'instances':
        if args.cutout or args.crf:
            raise ValueError(f'{path} finds instances: --cutout and --crf are for saliency maps.')
        summary = predict_instance_files(
            args.paths,
            args.out_dir,
            network,
            overwrite=args.overwrite,
            recursive=args.recursive,
            exif=args.exif or 'apply',
            device=args.device,
        )
        print(f'instances of {len(summary.written)} images written to {args.out_dir}')
        return _report_left_out(summary)
    summary = predict_files(
        args.paths,
        args.out_dir,
        network,
        cutout=args.cutout,
        overlay=args.overlay,
        overwrite=args.overwrite,
        recursive=args.recursive,
        exif=args.exif or 'apply',
        crf=DenseCRF() if args.crf else None,
        device=args.device,
    )
    print(f'{len(summary.written)} saliency maps written to {args.out_dir}')
    if args.crf and summary.written:
        print(f'CRF: {summary.crf_seconds / len(summary.written):.2f} s a map')
    return _report_left_out(summary)


def _report_left_out(summary: PredictionSummary) -> int:
    """Say which images were not predicted, and return the exit status."""
    if summary.skipped:
        print(f'{len(summary.skipped)} were there already (--overwrite predicts them again)')
    if summary.earlier:
        print(f'{len(summary.earlier)} pictures of earlier runs in it were left out')
    if summary.unreadable:
        print(f'sod: error: unreadable images: {len(summary.unreadable)}', file=sys.stderr)
        for path, reason in summary.unreadable.items():
            print(reason if str(path) in reason else f"'{path}': {reason}", file=sys.stderr)
        return 1
    return 0
