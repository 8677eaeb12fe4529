"""``sod finetune``: train a model further on your own images and masks."""

from __future__ import annotations

import argparse
import io
import sys
from contextlib import redirect_stdout

from sod_plugins.cli.arguments import add_exif, add_path, add_size, import_host, worker_count
from sod_plugins.cli.completion import complete_by, model_names
from sod_plugins.cli.output import add_json, report

HELP = 'train a model further on your own images and masks'
SHOWN = {'max_f': 'max F', 'mae': 'MAE', 'weighted_f': 'weighted F', 's_measure': 'S'}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('folder', metavar='FOLDER', help='folder of images and masks')
    add_path(
        parser,
        '-o',
        '--out-dir',
        metavar='DIR',
        required=True,
        help='output folder for the network (DIR/model.pth), its config, measures and logs',
    )
    model = parser.add_argument(
        '--model', metavar='NAME', help='default: the default model of sod predict'
    )
    complete_by(model, model_names)
    parser.add_argument(
        '--iterations', type=int, metavar='N', help='default: 15 epochs, but 100 to 5000 iterations'
    )
    parser.add_argument(
        '--held-back',
        type=int,
        metavar='N',
        help='number of images for evaluation only (default: a tenth, up to 500)',
    )
    parser.add_argument(
        '--learning-rate', type=float, default=3e-4, metavar='RATE', help='default: %(default)s'
    )
    parser.add_argument(
        '--batch-size', type=int, default=16, metavar='N', help='default: %(default)s'
    )
    add_size(parser, 'input size (default: that of the model)')
    parser.add_argument(
        '--workers',
        type=worker_count,
        default=2,
        metavar='N',
        help='worker processes that load images (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    add_exif(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Fine-tune, and print the measures before and after."""
    # The host logs to standard output, and into a file.
    log = io.StringIO() if args.quiet else sys.stderr if args.json else sys.stdout
    with redirect_stdout(log):
        result = import_host('openmmlab.finetuning').finetune(
            args.folder,
            args.out_dir,
            args.model,
            iterations=args.iterations,
            held_back=args.held_back,
            learning_rate=args.learning_rate,
            batch_size=args.batch_size,
            size=args.size,
            workers=args.workers,
            seed=args.seed,
            exif=args.exif,
        )
    lines = ['on the images held back:', f'{"":12}before   after']
    for key, name in SHOWN.items():
        lines.append(f'{name:12}{result.before[key]:6.4f}  {result.after[key]:6.4f}')
    if result.after['mae'] > result.before['mae']:
        lines.append(
            'The error has grown: try a lower --learning-rate, fewer --iterations, more images.'
        )
    lines.append(f'network: {result.checkpoint}')
    document = {name: getattr(result, name) for name in ('checkpoint', 'before', 'after')}
    report(args, document, *lines)
    return 0
