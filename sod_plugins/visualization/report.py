"""One self-contained HTML page about an evaluation: figures, curves, best and worst images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.names import ExifRule
from sod_plugins._common.writing import write_text
from sod_plugins.data import (
    DataError,
    SaliencyPair,
    find_pairs,
    find_predictions,
    image_files,
)
from sod_plugins.metrics import Evaluation, Measure, evaluate_pairs
from sod_plugins.visualization import sections
from sod_plugins.visualization.curves import require_matplotlib
from sod_plugins.visualization.page import html_page


def write_report(
    path: str | Path,
    evaluation: Evaluation,
    pairs: Sequence[SaliencyPair],
    pred_dir: str | Path | Mapping[str, Path],
    *,
    title: str = 'Salient object detection',
    method: str = 'prediction',
    others: Mapping[str, Evaluation] | None = None,
    facts: Mapping[str, object] | None = None,
    shown: int = 8,
) -> Path:
    """Write the report of one method on one data set.

    The page holds everything that it shows (images as data URIs, curves as SVG) and needs no
    network. It has a summary with the protocol's name, the PR and F-measure curves, the images
    of lowest and of highest F-measure as strips (image, ground truth, prediction, error,
    overlay), a table of all images that sorts by a click, and the facts given.

    Args:
        path: The HTML file; its folder is made where it is absent.
        evaluation: What :func:`sod_plugins.metrics.evaluate_folders` returned for ``pred_dir``,
            best with its F-measure curve.
        pairs: The data set's images and masks, by the stems that were evaluated.
        pred_dir: Folder of the predictions ``<stem>.png``, or the files by stem.
        title: Heading of the page, such as the data set's name.
        method: The method's name in the legend.
        others: Evaluations of further methods on the same images, by name, for table and curves.
        facts: What else the reader should know, such as checkpoint, parameters, MACs or the
            config; a text of several lines is folded.
        shown: How many best and how many worst images are shown at most.

    Returns:
        The path of the page.

    Raises:
        DataError: An evaluated image has no pair, a file is unreadable or of another size, or
            another method was evaluated on other images or under another protocol.
        ImportError: matplotlib is not installed.
    """
    path = Path(path)
    methods = {method: evaluation, **(others or {})}
    _check_comparable(methods)
    by_stem = {pair.stem: pair for pair in pairs}
    ranked = _ranked(evaluation)
    predictions = pred_dir
    if not isinstance(predictions, Mapping):
        predictions = {file.stem: file for file in image_files(Path(predictions).iterdir())}
    for scores in ranked:
        if scores['stem'] not in by_stem or scores['stem'] not in predictions:
            raise DataError(
                f"The evaluated image '{scores['stem']}' is not in the data set or not in "
                'the predictions: give the pairs and predictions that were evaluated.'
            )
    count = min(shown, (len(ranked) + 1) // 2)
    worst, best = ranked[:count], ranked[count:][-count:][::-1]
    measure = sections.ranking_measure(evaluation).title
    body = [
        sections.header(title, evaluation),
        sections.summary(methods),
        sections.curves(methods),
        sections.strips(f'Worst {measure}', worst, by_stem, predictions, evaluation),
        sections.strips(f'Best {measure}', best, by_stem, predictions, evaluation),
        sections.table(ranked, evaluation),
        sections.facts(facts or {}),
    ]
    write_text(path, html_page(title, ''.join(body)))
    return path


def report_folder(
    path: str | Path,
    pred_dir: str | Path,
    data_root: str | Path,
    *,
    list_file: str | Path | None = None,
    protocol: str = 'pysodmetrics',
    measures: Iterable[str | Measure] | None = None,
    workers: int = 0,
    progress: bool = True,
    pred_prefix: str = '',
    pred_suffix: str = '',
    mask_prefix: str = '',
    mask_suffix: str = '',
    exif: ExifRule = 'apply',
    **options: Any,
) -> Evaluation:
    """Evaluate a folder of predictions on a data set and write the report of it.

    Args:
        path: The HTML file.
        pred_dir: Folder of the predictions, one for each image of the data set or of the list.
        data_root: Folder of the data set, in a layout that ``find_pairs`` knows.
        list_file: A text file that selects the images; a relative path may start at the root.
        protocol: Name of the protocol.
        measures: What to compute, see ``SaliencyEvaluator``.
        workers: Further processes that share the work.
        progress: Whether to show progress bars.
        pred_prefix: What precedes the stem in the names of predictions.
        pred_suffix: What follows it, such as ``'_sal'``.
        mask_prefix: What precedes the stem in the names of masks.
        mask_suffix: What follows it, such as ``'_gt'``.
        exif: Whether images and masks are read upright, or ``'ignore'``, as they are stored.
        **options: Further arguments of :func:`write_report`.

    Returns:
        The evaluation, to write its curves and tables.

    Raises:
        DataError: A file lacks its partner, is unreadable or of another size.
        ImportError: matplotlib is not installed.
    """
    require_matplotlib()
    pairs = find_pairs(
        data_root,
        list_file=list_file,
        mask_prefix=mask_prefix,
        mask_suffix=mask_suffix,
        exif=exif,
    )
    masks = {pair.stem: pair.mask for pair in pairs if pair.mask is not None}
    predictions = find_predictions(
        pred_dir,
        masks,
        prefix=pred_prefix,
        suffix=pred_suffix,
        selected=list_file is not None,
    )
    evaluation = evaluate_pairs(
        [(stem, predictions[stem], mask) for stem, mask in masks.items()],
        protocol=protocol,
        measures=measures,
        curves=('f',),
        workers=workers,
        progress=progress,
        exif=exif,
    )
    write_report(path, evaluation, pairs, predictions, **options)
    return evaluation


def _ranked(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the scores of the images, the worst first; among equal ones, the larger MAE first."""
    measure = sections.ranking_measure(evaluation)
    sign = 1 if measure.direction == 'higher' else -1
    return sorted(
        evaluation.per_image,
        key=lambda scores: (sign * scores[measure.key], -scores.get('mae', 0)),
    )


def _check_comparable(methods: Mapping[str, Evaluation]) -> None:
    (reference, first), *others = methods.items()
    for name, other in others:
        if (other.protocol, other.count) != (first.protocol, first.count):
            raise DataError(
                f"'{name}' was evaluated under {other.protocol} on {other.count} images, but "
                f"'{reference}' under {first.protocol} on {first.count}. Evaluate both alike."
            )
