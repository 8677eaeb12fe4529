"""``sod eval``: saliency maps against ground truth."""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.cli.arguments import add_evaluation_options, add_path, require_writable_files

HELP = 'compare saliency maps with ground truth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument('pred_dir', type=Path, metavar='PRED_DIR')
    parser.add_argument('gt_dir', type=Path, metavar='GT_DIR')
    add_evaluation_options(parser)
    add_path(parser, '--json', help='write measures and curves')
    add_path(parser, '--per-image', help='write the measures of every image as CSV')
    add_path(parser, '--csv', help='write the table as CSV')
    add_path(parser, '--markdown', help='write the table as Markdown')
    add_path(parser, '--latex', help='write the table as LaTeX')


def run(args: argparse.Namespace) -> int:
    """Score a folder of saliency maps."""
    from sod_plugins.metrics import (
        TableRow,
        TableStyle,
        evaluate_folders,
        evaluation_table,
        write_json,
        write_per_image_csv,
    )
    from sod_plugins.visualization.curves import require_matplotlib, save_curves

    tables: dict[TableStyle, Path | None] = {
        'csv': args.csv,
        'markdown': args.markdown,
        'latex': args.latex,
    }
    require_writable_files([*tables.values(), args.json, args.per_image, args.curves])
    if args.curves:
        require_matplotlib()
    evaluation = evaluate_folders(
        args.pred_dir,
        args.gt_dir,
        protocol=args.protocol,
        list_file=args.list,
        workers=args.workers,
    )
    method = args.method or args.pred_dir.resolve().name
    row = TableRow(method, evaluation)
    print(evaluation_table([row]), end='')
    if args.json:
        write_json(evaluation, args.json)
    if args.per_image:
        write_per_image_csv(evaluation, args.per_image)
    for style, path in tables.items():
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(evaluation_table([row], style=style), encoding='utf-8')
    if args.curves:
        save_curves(args.curves, {method: evaluation.curves}, f'protocol: {args.protocol}')
    return 0
