"""``sod finetune``: train a model further on your own images and masks."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import add_exif, add_path, add_size, import_host, process_count

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
    parser.add_argument('--model', metavar='NAME', help='default: the default model of sod predict')
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
        type=process_count,
        default=2,
        metavar='N',
        help='worker processes that load images (default: %(default)s)',
    )
    parser.add_argument('--seed', type=int, default=0, metavar='N', help='default: %(default)s')
    add_exif(parser)


def run(args: argparse.Namespace) -> int:
    """Fine-tune, and print the measures before and after."""
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
    print('on the images held back:')
    print(f'{"":12}before   after')
    for key, name in SHOWN.items():
        print(f'{name:12}{result.before[key]:6.4f}  {result.after[key]:6.4f}')
    if result.after['mae'] > result.before['mae']:
        print('The error has grown: try a lower --learning-rate, fewer --iterations, more images.')
    print(f'network: {result.checkpoint}')
    return 0
