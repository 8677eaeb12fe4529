r"""Write train.txt and val.txt, which split a saliency data set for the choice of models.

What sod-small was trained and chosen on (one photo of DUTS-TR is in DUTS-TE too):

    python tools/dataset_converters/hold_back.py data/DUTS/DUTS-TR --count 500 \
        --leave-out ILSVRC2014_train_00019441
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.data import DataError, write_held_back


def main() -> None:
    """Parse the command line, write the lists and name them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('root', type=Path, help='folder of the data set')
    parser.add_argument('--count', type=int, default=500, help='images to hold back (500)')
    parser.add_argument('--seed', type=int, default=0, help='of the choice (0)')
    parser.add_argument(
        '--leave-out', nargs='+', default=(), metavar='STEM', help='images of neither list'
    )
    args = parser.parse_args()
    try:
        files = write_held_back(args.root, args.count, args.seed, args.leave_out)
    except (DataError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    for file in files:
        print(f'{file}: {len(file.read_text("utf-8").splitlines())} images')


if __name__ == '__main__':
    main()
