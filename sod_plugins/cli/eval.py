"""``sod eval``: compare saliency maps with ground truth."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sod_plugins.cli.arguments import (
    STDOUT,
    add_evaluation_options,
    add_path,
    evaluation_options,
    file_path,
    require_writable_files,
)

if TYPE_CHECKING:
    from sod_plugins.metrics import TableRow, TableStyle

HELP = 'compare saliency maps with ground truth'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('pred_dir', type=file_path, metavar='PRED_DIR')
    parser.add_argument(
        'gt_dir', type=file_path, metavar='GT_DIR', help='folder of masks, or of a data set'
    )
    add_evaluation_options(parser)
    add_path(parser, '--json', help="write measures and curves; '-' prints them")
    add_path(parser, '--per-image', help='write the measures of every image as CSV')
    add_path(parser, '--csv', help='write the table as CSV')
    add_path(parser, '--markdown', help='write the table as Markdown')
    add_path(parser, '--latex', help='write the table as LaTeX')


def run(args: argparse.Namespace) -> int:
    """Score a folder of saliency maps."""
    from sod_plugins.data import list_files
    from sod_plugins.metrics import TableRow, evaluate_folders, evaluation_table
    from sod_plugins.visualization.curves import curve_files, require_matplotlib

    require_writable_files([args.json, args.per_image, args.csv, args.markdown, args.latex])
    if args.curves:
        require_writable_files(curve_files(args.curves))
        require_matplotlib()
    evaluation = evaluate_folders(
        args.pred_dir,
        args.gt_dir,
        curves=('f',) if args.curves else (),
        progress=not args.quiet,
        **evaluation_options(args),
    )
    row = TableRow(args.method or args.pred_dir.resolve().name, evaluation)
    try:
        _write(args, row)
    finally:  # print the results even if writing files fails
        print(evaluation.to_json() if args.json == STDOUT else evaluation_table([row]), end='')
        if evaluation.dark:
            print(
                f'{len(evaluation.dark)} maps hold no values above 1 (255 in 16 bits), but others '
                f'do, so they were taken as dark: {list_files(evaluation.dark)}',
                file=sys.stderr,
            )
    return 0


def _write(args: argparse.Namespace, row: TableRow) -> None:
    """Write the requested files."""
    from sod_plugins._common.writing import write_text
    from sod_plugins.metrics import evaluation_table
    from sod_plugins.visualization.curves import save_curves

    evaluation = row.evaluation
    if args.json and args.json != STDOUT:
        evaluation.write_json(args.json)
    if args.per_image:
        evaluation.write_per_image_csv(args.per_image)
    tables: dict[TableStyle, Path | None] = {
        'csv': args.csv,
        'markdown': args.markdown,
        'latex': args.latex,
    }
    for style, path in tables.items():
        if path:
            write_text(path, evaluation_table([row], style=style))
    if args.curves:
        save_curves(args.curves, {row.method: evaluation.curves}, f'protocol: {args.protocol}')
