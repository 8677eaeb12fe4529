"""``sod report``: write an HTML report of an evaluation."""

from __future__ import annotations

import argparse

from sod_plugins.cli.arguments import (
    add_evaluation_options,
    add_path,
    evaluation_options,
    file_path,
    named_file,
    require_writable_files,
)
from sod_plugins.cli.output import add_json, report

HELP = 'write an HTML report of an evaluation'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('pred_dir', type=file_path, metavar='PRED_DIR')
    add_path(parser, '--data', metavar='DIR', required=True, help='data set of the predictions')
    add_path(parser, '-o', '--out', required=True, help='the page')
    add_evaluation_options(parser)
    add_json(parser)
    parser.add_argument('--title', help='heading (default: METHOD on DIR)')
    add_path(parser, '--checkpoint', help='show the parameters and MACs of this network')
    add_path(parser, '--config', help='show this config')
    parser.add_argument(
        '--compare',
        type=named_file,
        action='append',
        default=[],
        metavar='NAME=FILE',
        help='also draw the curves of another method; FILE is from sod eval --json; repeatable',
    )


def run(args: argparse.Namespace) -> int:
    """Write the report of an evaluation."""
    from sod_plugins._common.reading import read_text
    from sod_plugins.analysis.facts import network_facts
    from sod_plugins.metrics import read_json
    from sod_plugins.visualization.curves import can_draw, curve_files, save_curves
    from sod_plugins.visualization.report import report_folder

    require_writable_files([args.out, *(curve_files(args.curves) if args.curves else ())])
    others = {name: read_json(path) for name, path in args.compare}
    facts = network_facts(args.checkpoint) if args.checkpoint else {}
    if args.config:
        facts['config'] = f'{args.config}\n{read_text(args.config)}'
    method = args.method or args.pred_dir.resolve().name
    evaluation = report_folder(
        args.out,
        args.pred_dir,
        args.data,
        **evaluation_options(args),
        title=args.title or f'{method} on {args.data.resolve().name}',
        method=method,
        others=others,
        facts=facts,
        progress=not args.quiet,
    )
    if args.curves:
        methods = {method: evaluation.curves}
        methods |= {name: scores.curves for name, scores in others.items()}
        curves = {name: drawn for name, drawn in methods.items() if can_draw(drawn)}
        save_curves(args.curves, curves, f'protocol: {args.protocol}')
    document = {'page': args.out, 'method': method, 'measures': evaluation.measures}
    report(args, document, str(args.out))
    return 0
