r"""Write composites: objects cut out by their masks and pasted onto other photos, with instances.

Training and validation take their objects from photos that have nothing in common:

    python tools/dataset_converters/composites.py data/composites/train data/DUTS/DUTS-TR \
        --list train.txt --count 20000
    python tools/dataset_converters/composites.py data/composites/val data/DUTS/DUTS-TR \
        --list val.txt --count 500

Written are images/*.jpg, masks/*.png and annotations.json, COCO's instances.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.data import DataError, find_pairs, write_composites


def main() -> None:
    """Parse the command line and write the composites."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out_dir', type=Path, help='a new or empty folder')
    parser.add_argument('root', type=Path, help='folder of a saliency data set')
    parser.add_argument('--list', metavar='FILE', help='selects its photos')
    parser.add_argument('--count', type=int, default=1000, help='how many composites (1000)')
    parser.add_argument('--seed', type=int, default=0, help='makes other composites (0)')
    parser.add_argument(
        '--most-pasted', type=int, default=4, metavar='N', help='objects pasted at most (4)'
    )
    args = parser.parse_args()
    try:
        pairs = find_pairs(args.root, list_file=args.list)
        folder = write_composites(
            args.out_dir,
            pairs,
            args.count,
            seed=args.seed,
            most_pasted=args.most_pasted,
            progress=True,
        )
    except (DataError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    print(f'{args.count} composites in {folder}')


if __name__ == '__main__':
    main()
