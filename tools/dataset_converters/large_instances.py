r"""Copy COCO JSON with small instances marked as regions to ignore.

Of COCO's objects those that cover at least 2% of their photo are what sod-instances learns:

    python tools/dataset_converters/large_instances.py data/coco_mix/train.json \
        data/coco_mix/large/train.json --share 0.02 --skip-bad
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.data import (
    DataError,
    ignore_small,
    list_problems,
    read_instances,
    write_instances,
)


def main() -> None:
    """Parse the command line, write the file and count its instances."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('annotations', type=Path, help='COCO JSON')
    parser.add_argument('out', type=Path, help='the file to write')
    parser.add_argument(
        '--share', type=float, default=0.02, help='least area that counts, of the image (0.02)'
    )
    parser.add_argument(
        '--skip-bad',
        action='store_true',
        help='leave out unusable entries and list them, instead of rejecting the file',
    )
    args = parser.parse_args()
    left_out: list[str] | None = [] if args.skip_bad else None
    try:
        coco = ignore_small(read_instances(args.annotations, left_out=left_out), args.share)
        write_instances(args.out, coco)
    except (DataError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    counted = sum(not entry['iscrowd'] for entry in coco['annotations'])
    print(f'{args.out}: {counted} of {len(coco["annotations"])} instances count')
    if left_out:
        print(f'Left out:\n{list_problems(left_out)}')


if __name__ == '__main__':
    main()
