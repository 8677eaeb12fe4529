"""One self-contained HTML page about an evaluation: figures, curves, best and worst images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sod_plugins.data import DataError, SaliencyPair, find_pairs, image_files, list_files
from sod_plugins.metrics import Evaluation, evaluate_folders
from sod_plugins.visualization import sections
from sod_plugins.visualization.curves import require_matplotlib
from sod_plugins.visualization.page import html_page


def write_report(
    path: str | Path,
    evaluation: Evaluation,
    pairs: Sequence[SaliencyPair],
    pred_dir: str | Path,
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
        evaluation: What :func:`sod_plugins.metrics.evaluate_folders` returned for ``pred_dir``.
        pairs: The data set's images and masks, by the stems that were evaluated.
        pred_dir: Folder of the predictions ``<stem>.png``.
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
    ranked = sorted(evaluation.per_image, key=lambda scores: (scores['max_f'], -scores['mae']))
    predictions = {file.stem: file for file in image_files(Path(pred_dir).iterdir())}
    for scores in ranked:
        if scores['stem'] not in by_stem or scores['stem'] not in predictions:
            raise DataError(
                f"The evaluated image '{scores['stem']}' is not in the data set or not in "
                f"'{pred_dir}': give the pairs and predictions that were evaluated."
            )
    count = min(shown, (len(ranked) + 1) // 2)
    worst, best = ranked[:count], ranked[count:][-count:][::-1]
    body = [
        sections.header(title, evaluation),
        sections.summary(methods),
        sections.curves(methods),
        sections.strips('Lowest F-measure', worst, by_stem, predictions),
        sections.strips('Highest F-measure', best, by_stem, predictions),
        sections.table(ranked),
        sections.facts(facts or {}),
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html_page(title, ''.join(body)), encoding='utf-8')
    return path


def report_folder(
    path: str | Path,
    pred_dir: str | Path,
    data_root: str | Path,
    *,
    list_file: str | Path | None = None,
    protocol: str = 'pysodmetrics',
    workers: int = 0,
    progress: bool = True,
    **options: Any,
) -> Evaluation:
    """Evaluate a folder of predictions on a data set and write the report of it.

    Args:
        path: The HTML file.
        pred_dir: Folder of the predictions, one for each image of the data set or of the list.
        data_root: Folder of the data set, in a layout that ``find_pairs`` knows.
        list_file: A text file that selects the images; a relative path may start at the root.
        protocol: Name of the protocol.
        workers: Further processes that share the work.
        progress: Whether to show progress bars.
        **options: Further arguments of :func:`write_report`.

    Returns:
        The evaluation, to write its curves and tables.

    Raises:
        DataError: A file lacks its partner, is unreadable or of another size.
        ImportError: matplotlib is not installed.
    """
    require_matplotlib()
    if list_file is not None and (Path(data_root) / list_file).exists():
        list_file = Path(data_root) / list_file
    pairs = find_pairs(data_root, list_file=list_file)
    mask_dirs = sorted({pair.mask.parent for pair in pairs if pair.mask is not None})
    if len(mask_dirs) > 1:
        raise DataError(f'The masks lie in several folders: {list_files(mask_dirs)}. Use one list.')
    evaluation = evaluate_folders(
        pred_dir,
        mask_dirs[0],
        protocol=protocol,
        list_file=list_file,
        workers=workers,
        progress=progress,
    )
    write_report(path, evaluation, pairs, pred_dir, **options)
    return evaluation


def _check_comparable(methods: Mapping[str, Evaluation]) -> None:
    (reference, first), *others = methods.items()
    for name, other in others:
        if (other.protocol, other.count) != (first.protocol, first.count):
            raise DataError(
                f"'{name}' was evaluated under {other.protocol} on {other.count} images, but "
                f"'{reference}' under {first.protocol} on {first.count}. Evaluate both alike."
            )
