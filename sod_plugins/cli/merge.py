"""``sod merge``: merge the results of all shards of ``sod predict --shard``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

HELP = 'merge the results of all shards of sod predict --shard'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('out_dir', type=Path, metavar='DIR', help='output folder of the shards')


def run(args: argparse.Namespace) -> int:
    """Merge the shards in a folder."""
    from sod_plugins.inference import merge_shards

    merged = merge_shards(args.out_dir)
    print(f'{merged.images} images of {merged.shards} shards joined in {args.out_dir}')
    if merged.unreadable:
        print(f'sod: error: unreadable images: {len(merged.unreadable)}', file=sys.stderr)
        for path, reason in merged.unreadable.items():
            print(reason if path in reason else f"'{path}': {reason}", file=sys.stderr)
        return 1
    return 0
