"""List the images with occlusion, on which mAP_O is measured.

Printed are the images' names, one a line, with the largest overlap of two boxes: the area that they
share as a part of the smaller one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins._common.writing import write_text
from sod_plugins.data import OCCLUSION, occluded_images, read_instances


def main() -> None:
    """Parse the command line and list the images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('instances', type=Path, help="COCO's JSON of the ground truth")
    parser.add_argument(
        '--occlusion',
        type=float,
        default=OCCLUSION,
        metavar='SHARE',
        help='least overlap (default: %(default)s; 0: boxes that touch suffice)',
    )
    parser.add_argument('-o', '--out', type=Path, help='write the names alone, as a list file')
    args = parser.parse_args()
    try:
        coco = read_instances(args.instances)
        overlaps = occluded_images(coco, args.occlusion)
        names = {image['id']: image['file_name'] for image in coco['images']}
        if args.out:
            write_text(args.out, ''.join(f'{names[i]}\n' for i in overlaps))
    except (OSError, ValueError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    for image, overlap in overlaps.items():
        print(f'{names[image]}\t{overlap:.3f}')
    print(f'{len(overlaps)} of {len(names)} images')


if __name__ == '__main__':
    main()
