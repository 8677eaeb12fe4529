"""The sections of the HTML report, each as HTML text."""

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

from sod_plugins._common.text import printable
from sod_plugins.data import DataError, SaliencyPair, read_image, read_mask
from sod_plugins.metrics import Evaluation, MeasureInfo, measure_infos, read_prediction
from sod_plugins.visualization.curves import can_draw, curves_as_svg
from sod_plugins.visualization.overlays import error_map, tint_saliency

_TILES = ('max_f', 'weighted_f', 's_measure', 'max_e', 'mae')
_MISSING = '-'
_THUMBNAIL = (320, 320)


def header(title: str, evaluation: Evaluation) -> str:
    """Return the heading, with the number of images and the protocol."""
    skipped, dark = len(evaluation.skipped), len(evaluation.dark)
    left_out = f', which leaves out {skipped} without foreground' if skipped else ''
    if dark:
        left_out += f'; {dark} maps of hardly any value were taken as dark, as others are brighter'
    return (
        f'<header>\n<h1>{_text(title)}</h1>\n'
        f'<p class="faint">{evaluation.count} images, '
        f'protocol <b>{html.escape(evaluation.protocol)}</b>{left_out}</p>\n</header>\n'
    )


def summary(methods: Mapping[str, Evaluation]) -> str:
    """Return the measures of the first method as tiles, and those of all methods as a table."""
    first = next(iter(methods.values()))
    shown = [key for key in _TILES if key in first.measures] or list(first.measures)[: len(_TILES)]
    tiles = ''.join(
        f'<div class="card tile"><b>{first.measures[key]:.3f}</b>'
        f'<span>{_label(first.info(key))}</span></div>\n'
        for key in shown
    )
    infos = measure_infos(methods.values())
    heads = ''.join(f'<th>{_label(info)}</th>' for info in infos.values())
    rows = ''.join(
        f'<tr><td>{_text(name)}</td><td>{evaluation.protocol}</td>'
        + ''.join(f'<td>{_number(evaluation.measures.get(key))}</td>' for key in infos)
        + '</tr>\n'
        for name, evaluation in methods.items()
    )
    comparison = (
        f'<table><thead><tr><th>method</th><th>protocol</th>{heads}</tr></thead>\n'
        f'<tbody>\n{rows}</tbody></table>'
    )
    return _section(
        'Measures',
        f'<div class="tiles">\n{tiles}</div>\n<div class="card scroll">{comparison}</div>',
        'From 0 to 1; arrows show which way is better.',
    )


def curves(methods: Mapping[str, Evaluation]) -> str:
    """Return the PR and F-measure curves of the methods that have them.

    Raises:
        ImportError: matplotlib is not installed.
    """
    drawn = {name: scored.curves for name, scored in methods.items() if can_draw(scored.curves)}
    missing = [name for name in methods if name not in drawn]
    hint = f'Evaluated without curves: {", ".join(missing)}.' if missing else ''
    content = f'<div class="card curves">{curves_as_svg(drawn)}</div>' if drawn else ''
    return _section('Curves', content, hint)


def strips(
    title: str,
    ranked: Sequence[Mapping[str, Any]],
    pairs: Mapping[str, SaliencyPair],
    predictions: Mapping[str, Path],
    evaluation: Evaluation,
) -> str:
    """Return records of ``Evaluation.per_image`` as strips of five images each.

    Args:
        title: Heading of the section.
        ranked: The records, in the order to show.
        pairs: Image and mask by stem.
        predictions: Saliency map by stem.
        evaluation: The evaluation of the records; its ranking measure is named.

    Raises:
        DataError: A pair has no mask, a file is unreadable, or the sizes of its three files differ.
    """
    if not ranked:
        return ''
    heads = ''.join(
        f'<span>{name}</span>'
        for name in ('image', 'ground truth', 'prediction', 'error', 'overlay')
    )
    figures = ''.join(
        f'<figure class="strip"><figcaption><b>{_text(scores["stem"])}</b>'
        f'<span class="faint">{_caption(scores, evaluation)}</span>'
        '</figcaption><div class="row">'
        + _strip(
            pairs[scores['stem']],
            predictions[scores['stem']],
            full_scale=scores['stem'] in evaluation.dark,
        )
        + '</div></figure>\n'
        for scores in ranked
    )
    return _section(
        title,
        f'<div class="card scroll"><div class="strips"><div class="row">{heads}</div>\n'
        f'{figures}</div></div>',
        f'By the {ranking_measure(evaluation).title} of each image alone. '
        'Error: red where the prediction has too much, blue where it misses some.',
    )


def table(ranked: Sequence[Mapping[str, Any]], evaluation: Evaluation) -> str:
    """Return a table, sortable by click, of the records of ``Evaluation.per_image``."""
    infos = measure_infos([evaluation])
    heads = ''.join(
        f'<th><button>{name}</button></th>' for name in ('image', *map(_label, infos.values()))
    )
    rows = ''.join(
        f'<tr><td>{_text(scores["stem"])}</td>'
        + ''.join(f'<td>{scores[key]:.4f}</td>' for key in infos)
        + '</tr>\n'
        for scores in ranked
    )
    return _section(
        'All images',
        f'<div class="card scroll tall"><table><thead><tr>{heads}</tr></thead>\n'
        f'<tbody>\n{rows}</tbody></table></div>',
        'Click a heading to sort.',
    )


def facts(values: Mapping[str, object]) -> str:
    """Return named values as a list; a value of several lines is collapsed."""
    if not values:
        return ''
    entries = []
    for name, value in values.items():
        text = _text(str(value).strip())
        if '\n' in text:
            text = f'<details><summary>show</summary><pre>{text}</pre></details>'
        entries.append(f'<dt>{_text(name)}</dt><dd>{text}</dd>\n')
    return _section('How it was made', f'<dl class="card">\n{"".join(entries)}</dl>')


def _section(title: str, content: str, hint: str = '') -> str:
    hint = f'<p class="faint">{_text(hint)}</p>\n' if hint else ''
    return f'<section>\n<h2>{_text(title)}</h2>\n{hint}{content}\n</section>\n'


def ranking_measure(evaluation: Evaluation) -> MeasureInfo:
    """Return the measure that ranks images: max F or, if it is missing, the first measure."""
    keys = evaluation.measures
    return evaluation.info('max_f' if 'max_f' in keys else next(iter(keys)))


def _label(info: MeasureInfo) -> str:
    # Prevent line breaks before the arrow and inside 'S-measure'.
    name = html.escape(info.title.replace('-', '\u2011'))
    return f'{name}\u00a0{info.arrow}'


def _caption(scores: Mapping[str, Any], evaluation: Evaluation) -> str:
    keys = dict.fromkeys((ranking_measure(evaluation).key, 'mae'))
    return ' &ensp; '.join(
        f'{html.escape(evaluation.info(key).title)} {scores[key]:.3f}'
        for key in keys
        if key in evaluation.measures
    )


def _number(value: float | None) -> str:
    return _MISSING if value is None else f'{value:.4f}'


def _text(name: str) -> str:
    """Return a name as HTML in valid UTF-8, whatever bytes the file name holds."""
    return html.escape(printable(name))


def _strip(pair: SaliencyPair, prediction_path: Path, *, full_scale: bool) -> str:
    """Return the five panels of one image as HTML."""
    if pair.mask is None:
        raise DataError(f"'{pair.image}' has no mask to be compared with.")
    image, mask = read_image(pair.image, pair.exif), read_mask(pair.mask, pair.exif)
    levels = read_prediction(prediction_path, full_scale=full_scale)
    prediction = levels.astype(np.float32) / np.float32(255)
    if not image.shape[:2] == mask.shape == prediction.shape:
        raise DataError(
            f"'{pair.image}' {image.shape[:2]}, its mask {mask.shape} and its prediction "
            f'{prediction.shape} differ in size (height, width): they do not belong together.'
        )
    shown = {
        'image': _data_uri(image, 'JPEG'),
        'ground truth': _data_uri(np.rint(255 * mask).astype(np.uint8), 'PNG'),
        'prediction': _data_uri(levels, 'PNG'),
        'error': _data_uri(error_map(prediction, mask), 'PNG'),
        'overlay': _data_uri(tint_saliency(image, prediction), 'JPEG'),
    }
    return ''.join(
        f'<img src="{uri}" alt="{name} of {_text(pair.stem)}" loading="lazy">'
        for name, uri in shown.items()
    )


def _data_uri(pixels: NDArray[np.uint8], kind: str) -> str:
    thumbnail = Image.fromarray(pixels)
    thumbnail.thumbnail(_THUMBNAIL)
    stream = io.BytesIO()
    thumbnail.save(stream, format=kind, quality=85)
    text = base64.b64encode(stream.getvalue()).decode('ascii')
    return f'data:image/{kind.lower()};base64,{text}'
