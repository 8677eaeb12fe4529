"""``sod eval-instances``: compare salient instances with ground truth."""

from __future__ import annotations

import argparse
import sys

from sod_plugins._common.names import INSTANCE_PROTOCOLS, OCCLUSION
from sod_plugins.cli.arguments import STDOUT, add_path, file_path, require_writable_files
from sod_plugins.cli.style import print_error

HELP = 'compare salient instances with ground truth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        'predictions',
        type=file_path,
        metavar='PREDICTIONS',
        help='instances.json of sod predict, or a COCO result list',
    )
    parser.add_argument(
        'ground_truth', type=file_path, metavar='GROUND_TRUTH', help='COCO JSON of the instances'
    )
    parser.add_argument(
        '--protocol',
        choices=INSTANCE_PROTOCOLS,
        default=INSTANCE_PROTOCOLS[0],
        help='default: %(default)s',
    )
    parser.add_argument(
        '--occlusion',
        type=float,
        default=OCCLUSION,
        metavar='SHARE',
        help='occlusion: two boxes share this fraction of the smaller (default: %(default)s)',
    )
    add_path(parser, '--json', help="write the measures; '-' prints them")
    parser.add_argument(
        '--skip-bad',
        action='store_true',
        help='leave out unusable entries and list them, instead of rejecting the file',
    )


def run(args: argparse.Namespace) -> int:
    """Score instances in COCO format."""
    from sod_plugins.metrics import score_instances

    require_writable_files([args.json])
    evaluation = score_instances(
        args.predictions,
        args.ground_truth,
        protocol=args.protocol,
        occlusion=args.occlusion,
        skip_bad=args.skip_bad,
    )
    if args.json == STDOUT:
        print(evaluation.to_json(), end='')
    else:
        if args.json:
            evaluation.write_json(args.json)
        print(evaluation.describe())
        print(evaluation.table(), end='')
    if not evaluation.left_out:
        return 0
    print_error(f'{len(evaluation.left_out)} entries were left out:')
    print(*evaluation.left_out, sep='\n', file=sys.stderr)
    return 1
