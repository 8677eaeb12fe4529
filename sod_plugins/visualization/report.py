"""One self-contained HTML page about an evaluation: figures, curves, best and worst images."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sod_plugins.data import (
    IMAGE_EXTENSIONS,
    DataError,
    SaliencyPair,
    find_pairs,
    list_files,
    read_image,
    read_mask,
)
from sod_plugins.metrics import (
    LOWER_IS_BETTER,
    MEASURE_NAMES,
    Evaluation,
    evaluate_folders,
    read_prediction,
)
from sod_plugins.visualization.curves import curves_as_svg, require_matplotlib
from sod_plugins.visualization.overlays import error_map, tint_saliency
from sod_plugins.visualization.page import SCRIPT, STYLE

_TILES = ('max_f', 'weighted_f', 's_measure', 'max_e', 'mae')
_THUMBNAIL = (320, 320)


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
    predictions = {
        file.stem: file
        for file in Path(pred_dir).iterdir()
        if file.suffix.lower() in IMAGE_EXTENSIONS
    }
    for scores in ranked:
        if scores['stem'] not in by_stem or scores['stem'] not in predictions:
            raise DataError(
                f"The evaluated image '{scores['stem']}' is not in the data set or not in "
                f"'{pred_dir}': give the pairs and predictions that were evaluated."
            )
    count = min(shown, (len(ranked) + 1) // 2)
    worst, best = ranked[:count], ranked[count:][-count:][::-1]
    body = [
        _header(title, evaluation),
        _summary(methods),
        _section('Curves', _curves(methods)),
        _strips('Lowest F-measure', worst, by_stem, predictions),
        _strips('Highest F-measure', best, by_stem, predictions),
        _table(ranked),
        _facts(facts or {}),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n'
        f'{"".join(body)}<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding='utf-8')
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


def _section(title: str, content: str, hint: str = '') -> str:
    hint = f'<p class="faint">{html.escape(hint)}</p>\n' if hint else ''
    return f'<section>\n<h2>{html.escape(title)}</h2>\n{hint}{content}\n</section>\n'


def _header(title: str, evaluation: Evaluation) -> str:
    skipped = len(evaluation.skipped)
    left_out = f', which leaves out {skipped} without foreground' if skipped else ''
    return (
        f'<header>\n<h1>{html.escape(title)}</h1>\n'
        f'<p class="faint">{evaluation.count} images, '
        f'protocol <b>{html.escape(evaluation.protocol)}</b>{left_out}</p>\n</header>\n'
    )


def _summary(methods: Mapping[str, Evaluation]) -> str:
    measures = next(iter(methods.values())).measures
    tiles = ''.join(
        f'<div class="card tile"><b>{measures[key]:.3f}</b><span>{_label(key)}</span></div>\n'
        for key in _TILES
    )
    heads = ''.join(f'<th>{_label(key)}</th>' for key in MEASURE_NAMES)
    rows = ''.join(
        f'<tr><td>{html.escape(name)}</td><td>{evaluation.protocol}</td>'
        + ''.join(f'<td>{evaluation.measures[key]:.4f}</td>' for key in MEASURE_NAMES)
        + '</tr>\n'
        for name, evaluation in methods.items()
    )
    table = (
        f'<table><thead><tr><th>method</th><th>protocol</th>{heads}</tr></thead>\n'
        f'<tbody>\n{rows}</tbody></table>'
    )
    return _section(
        'Measures',
        f'<div class="tiles">\n{tiles}</div>\n<div class="card scroll">{table}</div>',
        'From 0 to 1; arrows tell which way is better.',
    )


def _label(key: str) -> str:
    # Neither the arrow nor the second half of 'S-measure' moves to a line of its own.
    name = MEASURE_NAMES[key].replace('-', '\u2011')
    return f'{name}\u00a0{"↓" if key in LOWER_IS_BETTER else "↑"}'


def _curves(methods: Mapping[str, Evaluation]) -> str:
    svg = curves_as_svg({name: evaluation.curves for name, evaluation in methods.items()})
    return f'<div class="card curves">{svg}</div>'


def _strips(
    title: str,
    ranked: Sequence[Mapping[str, Any]],
    pairs: Mapping[str, SaliencyPair],
    predictions: Mapping[str, Path],
) -> str:
    if not ranked:
        return ''
    heads = ''.join(
        f'<span>{name}</span>'
        for name in ('image', 'ground truth', 'prediction', 'error', 'overlay')
    )
    strips = ''.join(
        f'<figure class="strip"><figcaption><b>{html.escape(scores["stem"])}</b>'
        f'<span class="faint">max F {scores["max_f"]:.3f} &ensp; MAE {scores["mae"]:.3f}</span>'
        '</figcaption><div class="row">'
        f'{_strip(pairs[scores["stem"]], predictions[scores["stem"]])}</div></figure>\n'
        for scores in ranked
    )
    return _section(
        title,
        f'<div class="card scroll"><div class="strips"><div class="row">{heads}</div>\n'
        f'{strips}</div></div>',
        'By the largest F-measure of each image alone. '
        'Error: red where the prediction has too much, blue where it misses some.',
    )


def _strip(pair: SaliencyPair, prediction_path: Path) -> str:
    """Return the five pictures of one image as HTML."""
    if pair.mask is None:
        raise DataError(f"'{pair.image}' has no mask to be compared with.")
    image, mask = read_image(pair.image), read_mask(pair.mask)
    levels = read_prediction(prediction_path)
    prediction = levels.astype(np.float32) / np.float32(255)
    if not image.shape[:2] == mask.shape == prediction.shape:
        raise DataError(
            f"'{pair.image}' {image.shape[:2]}, its mask {mask.shape} and its prediction "
            f'{prediction.shape} differ in size (height, width): they do not belong together.'
        )
    pictures = {
        'image': _data_uri(image, 'JPEG'),
        'ground truth': _data_uri(np.rint(255 * mask).astype(np.uint8), 'PNG'),
        'prediction': _data_uri(levels, 'PNG'),
        'error': _data_uri(error_map(prediction, mask), 'PNG'),
        'overlay': _data_uri(tint_saliency(image, prediction), 'JPEG'),
    }
    return ''.join(
        f'<img src="{uri}" alt="{name} of {html.escape(pair.stem)}" loading="lazy">'
        for name, uri in pictures.items()
    )


def _data_uri(pixels: NDArray[np.uint8], kind: str) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail(_THUMBNAIL)
    stream = io.BytesIO()
    picture.save(stream, format=kind, quality=85)
    text = base64.b64encode(stream.getvalue()).decode('ascii')
    return f'data:image/{kind.lower()};base64,{text}'


def _table(ranked: Sequence[Mapping[str, Any]]) -> str:
    columns = [key for key in MEASURE_NAMES if key in ranked[0]]
    heads = ''.join(
        f'<th><button>{html.escape(name)}</button></th>'
        for name in ('image', *map(_label, columns))
    )
    rows = ''.join(
        f'<tr><td>{html.escape(scores["stem"])}</td>'
        + ''.join(f'<td>{scores[key]:.4f}</td>' for key in columns)
        + '</tr>\n'
        for scores in ranked
    )
    return _section(
        'All images',
        f'<div class="card scroll tall"><table><thead><tr>{heads}</tr></thead>\n'
        f'<tbody>\n{rows}</tbody></table></div>',
        'Click a heading to sort.',
    )


def _facts(facts: Mapping[str, object]) -> str:
    if not facts:
        return ''
    entries = []
    for name, value in facts.items():
        text = html.escape(str(value).strip())
        if '\n' in text:
            text = f'<details><summary>show</summary><pre>{text}</pre></details>'
        entries.append(f'<dt>{html.escape(name)}</dt><dd>{text}</dd>\n')
    return _section('How it was made', f'<dl class="card">\n{"".join(entries)}</dl>')
