"""``sod merge``: merge the results of all shards of ``sod predict --shard``."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from sod_plugins.cli.arguments import file_path
from sod_plugins.cli.output import add_json, report, report_unreadable

HELP = 'merge the results of all shards of sod predict --shard'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        'out_dir', type=file_path, metavar='DIR', help='output folder of the shards'
    )
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Merge the shards in a folder."""
    from sod_plugins.inference import merge_shards

    merged = merge_shards(args.out_dir)
    report(
        args,
        {'out_dir': args.out_dir, **asdict(merged)},
        f'{merged.images} images of {merged.shards} shards joined in {args.out_dir}',
    )
    return report_unreadable(merged.unreadable)
