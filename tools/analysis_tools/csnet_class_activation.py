r"""Draw where CSNets that classify find the class, beside where one finds salience (Fig. 9).

    python tools/analysis_tools/csnet_class_activation.py data/duts-classes/val/*/*1.jpg \
        --classifiers ALL=finetuned/epoch_300.pth FC=frozen/epoch_300.pth \
        --saliency csnet-x1.pth --classes data/duts-classes/train -o fig9.png

A row for each photo: its saliency and the class activation map of every classifier, of the class
that the classifier finds likeliest. With --classes and photos in folders of these classes the maps
are those of the photo's own class, as in the paper. Classifiers are checkpoints of tools/train.py
by configs/csnet/*_classifier*.py. Needs matplotlib.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sod_plugins.cli.arguments import named_file
from sod_plugins.data import class_names, read_image, require_writable
from sod_plugins.inference import SaliencyPredictor, class_activation, collect_images
from sod_plugins.networks import CSNetClassifier, load_classifier
from sod_plugins.visualization.class_activation import (
    Activation,
    ImageActivations,
    draw_activations,
)
from sod_plugins.visualization.curves import require_matplotlib, save_figure


def view(
    path: Path,
    classifiers: dict[str, CSNetClassifier],
    predictor: SaliencyPredictor | None,
    classes: Sequence[str],
) -> ImageActivations:
    """Compute the row of a photo."""
    image = read_image(path)
    label = classes.index(path.parent.name) if path.parent.name in classes else None
    activations = {}
    for name, classifier in classifiers.items():
        values, found, score = class_activation(classifier, image, label)
        what = classes[found] if classes else f'class {found}'
        activations[name] = Activation(values, f'{what} ({score:.0%})')
    saliency = None if predictor is None else predictor.predict(image)
    return ImageActivations(image, saliency, activations)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and draw."""
    args = _parser().parse_args(argv)
    try:
        require_matplotlib()
        require_writable(args.out.parent)
        images = collect_images(args.images)
        classifiers = {name: load_classifier(path) for name, path in args.classifiers}
        classes = class_names(args.classes) if args.classes else ()
        for name, classifier in classifiers.items():
            count = classifier.classifier.out_features
            if classes and len(classes) != count:
                raise ValueError(
                    f"{name} has {count} classes, but '{args.classes}' has {len(classes)}: name "
                    'the folder that it was trained on.'
                )
        predictor = SaliencyPredictor(args.saliency) if args.saliency else None
        figure = draw_activations([view(p, classifiers, predictor, classes) for p in images])
        save_figure(figure, args.out, dpi=120)
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'csnet_class_activation.py: error: {error}')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('images', nargs='+', metavar='IMAGE', help='photos, or folders of them')
    parser.add_argument(
        '--classifiers', type=named_file, nargs='+', metavar='NAME=FILE', required=True
    )
    parser.add_argument('--saliency', type=Path, metavar='FILE', help='a saliency network')
    parser.add_argument(
        '--classes', type=Path, metavar='DIR', help='folder of class folders, for their names'
    )
    parser.add_argument('-o', '--out', type=Path, metavar='FILE', required=True)
    return parser


if __name__ == '__main__':
    main()
