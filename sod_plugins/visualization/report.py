"""Write a self-contained HTML report of an evaluation: figures, curves, best and worst images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.names import ExifRule, ProtocolName
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

    The page embeds everything that it shows (images as data URIs, curves as SVG) and needs no
    network. It has a summary with the name of the protocol, the PR and F-measure curves, the
    images with the lowest and the highest F-measure as strips (image, ground truth, prediction,
    error, overlay), a sortable table of all images, and the given facts.

    Args:
        path: The HTML file; its folder is created if it does not exist.
        evaluation: What :func:`sod_plugins.metrics.evaluate_folders` returned for ``pred_dir``,
            preferably with its F-measure curve.
        pairs: Images and masks of the data set, for the evaluated stems.
        pred_dir: Folder of the predictions ``<stem>.png``, or the files by stem.
        title: Heading of the page, such as the name of the data set.
        method: Name of the method in the legend.
        others: Evaluations of further methods on the same images, by name, for table and curves.
        facts: Further information for the reader, such as checkpoint, parameters, MACs or the
            config. Text of several lines is collapsed.
        shown: The largest number of best images, and of worst images, to show.

    Returns:
        The path of the page.

    Raises:
        DataError: An evaluated image has no pair, a file is unreadable or of another size, or
            another method was evaluated on different images or under another protocol.
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
    protocol: ProtocolName = 'pysodmetrics',
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
    """Evaluate a folder of predictions on a data set, and write the report.

    Args:
        path: The HTML file.
        pred_dir: Folder of the predictions, one for each image of the data set or of the list.
        data_root: Folder of the data set, in a layout that ``find_pairs`` recognises.
        list_file: A text file that selects the images; a relative path may start at the root.
        protocol: Name of the protocol.
        measures: The measures to compute, see ``SaliencyEvaluator``.
        workers: Number of worker processes; 0 works in this process.
        progress: Whether to show progress bars.
        pred_prefix: Text before the stem in the names of predictions.
        pred_suffix: Text after the stem in the names of predictions, such as ``'_sal'``.
        mask_prefix: Text before the stem in the names of masks.
        mask_suffix: Text after the stem in the names of masks, such as ``'_gt'``.
        exif: Whether to turn images and masks upright; ``'ignore'`` reads them as stored.
        **options: Further arguments of :func:`write_report`.

    Returns:
        The evaluation, from which to write curves and tables.

    Raises:
        DataError: A file lacks its partner, is unreadable or has another size.
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
    """Return the scores of the images, worst first; ties are broken by the larger MAE."""
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
