"""Write synthetic scenes: images, saliency masks and COCO instances, the same for a seed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sod_plugins.data import SPLITS, DataError, generate_scenes


def main() -> int:
    """Run the command; return 2 where the arguments or the folder cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out', type=Path, metavar='OUT', help='a new or empty folder')
    parser.add_argument('--count', type=int, default=1000, help='how many scenes')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--size', type=int, nargs=2, default=(120, 160), metavar=('HEIGHT', 'WIDTH')
    )
    parser.add_argument(
        '--split', choices=SPLITS, default='train', help='splits have no scene in common'
    )
    args = parser.parse_args()
    try:
        out = generate_scenes(
            args.out,
            args.count,
            seed=args.seed,
            size=tuple(args.size),
            split=args.split,
            progress=True,
        )
    except DataError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{args.count} scenes in {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
