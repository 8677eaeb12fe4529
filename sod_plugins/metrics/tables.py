"""Writing evaluations: tables of several methods, scores of every image, curves for later."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from sod_plugins.data import DataError
from sod_plugins.metrics.saliency import LOWER_IS_BETTER, MEASURE_NAMES, Evaluation

TableStyle = Literal['markdown', 'latex', 'csv']

_LATEX_SPECIAL = str.maketrans(
    {sign: f'\\{sign}' for sign in '&%$#_{}'}
    | {
        '\\': r'\textbackslash{}',
        '~': r'\textasciitilde{}',
        '^': r'\textasciicircum{}',
    }
)


class TableRow(NamedTuple):
    """One line of a table: a method, its scores, and the data set where several are compared."""

    method: str
    evaluation: Evaluation
    dataset: str = ''


def evaluation_table(
    rows: Sequence[TableRow],
    *,
    style: TableStyle = 'markdown',
    measures: Sequence[str] = tuple(MEASURE_NAMES),
    digits: int = 4,
) -> str:
    """Return a table of methods; every row names the protocol of its numbers.

    Among rows of one data set and one protocol the best number of each measure is bold in
    Markdown and LaTeX (equal ones too). Numbers are fractions from 0 to 1.

    Args:
        rows: The methods, in the order wanted.
        style: ``'markdown'``, ``'latex'`` (needs the package booktabs) or ``'csv'``.
        measures: Keys of the columns.
        digits: Decimal places.

    Raises:
        ValueError: There is no row, or a key or the style is unknown.
    """
    if not rows:
        raise ValueError('There are no evaluations to put into a table.')
    unknown = [key for key in measures if key not in MEASURE_NAMES]
    if unknown:
        raise ValueError(
            f'Unknown measures: {", ".join(unknown)}. Choose from {", ".join(MEASURE_NAMES)}.'
        )
    if style not in get_args(TableStyle):
        raise ValueError(
            f"Unknown table style '{style}'. Choose from {', '.join(get_args(TableStyle))}."
        )
    with_dataset = any(row.dataset for row in rows)
    text_head = ['method', 'dataset', 'protocol'] if with_dataset else ['method', 'protocol']
    head = [*text_head, 'images', *(_heading(key, style) for key in measures)]
    body = []
    for row in rows:
        texts = [row.method, row.dataset, row.evaluation.protocol]
        if not with_dataset:
            del texts[1]
        cells = [_escape(text, style) for text in texts] + [str(row.evaluation.count)]
        for key in measures:
            number = f'{row.evaluation.measures[key]:.{digits}f}'
            cells.append(_bold(number, style) if _is_best(row, rows, key, digits) else number)
        body.append(cells)
    if style == 'csv':
        return _csv(head, body)
    lay_out = _markdown if style == 'markdown' else _latex
    return lay_out(head, body, len(text_head))


def write_json(evaluation: Evaluation, path: str | Path) -> None:
    """Write measures (keys at top level), protocol, number of images and curves as JSON."""
    record = {
        'protocol': evaluation.protocol,
        'count': evaluation.count,
        **evaluation.measures,
        'skipped': list(evaluation.skipped),
        'curves': {name: curve.tolist() for name, curve in evaluation.curves.items()},
    }
    _write(path, json.dumps(record, indent=1) + '\n')


def read_json(path: str | Path) -> Evaluation:
    """Read what ``write_json`` wrote, to compare and plot without scoring again.

    Returns:
        The evaluation without ``per_image``.

    Raises:
        DataError: The file cannot be read or is no evaluation.
    """
    try:
        record = json.loads(Path(path).read_text(encoding='utf-8'))
        return Evaluation(
            protocol=record['protocol'],
            count=record['count'],
            measures={key: float(record[key]) for key in MEASURE_NAMES},
            curves={name: np.array(curve) for name, curve in record['curves'].items()},
            skipped=tuple(record['skipped']),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"Cannot read the evaluation '{path}': {error!r}. Write it anew with write_json."
        ) from error


def write_per_image_csv(evaluation: Evaluation, path: str | Path) -> None:
    """Write one line per image: stem, protocol and the image's own measures, in full precision.

    Images that the protocol skips are listed last, without numbers.
    """
    body = [
        [scores['stem'], evaluation.protocol, *(repr(scores[key]) for key in MEASURE_NAMES)]
        for scores in evaluation.per_image
    ]
    body += [
        [stem, evaluation.protocol, *('' for _ in MEASURE_NAMES)] for stem in evaluation.skipped
    ]
    _write(path, _csv(['stem', 'protocol', *MEASURE_NAMES], body))


def _is_best(row: TableRow, rows: Iterable[TableRow], key: str, digits: int) -> bool:
    """Compare as printed with the other rows of the same data set and protocol."""
    rivals = [
        round(other.evaluation.measures[key], digits)
        for other in rows
        if (other.dataset, other.evaluation.protocol) == (row.dataset, row.evaluation.protocol)
    ]
    best = min(rivals) if key in LOWER_IS_BETTER else max(rivals)
    return len(rivals) > 1 and round(row.evaluation.measures[key], digits) == best


def _heading(key: str, style: TableStyle) -> str:
    if style == 'csv':
        return key
    if style == 'latex':
        arrow = r'$\downarrow$' if key in LOWER_IS_BETTER else r'$\uparrow$'
    else:
        arrow = '↓' if key in LOWER_IS_BETTER else '↑'
    return f'{MEASURE_NAMES[key]} {arrow}'


def _escape(text: str, style: TableStyle) -> str:
    if style == 'latex':
        return text.translate(_LATEX_SPECIAL)
    return text.replace('|', r'\|') if style == 'markdown' else text


def _bold(number: str, style: TableStyle) -> str:
    return {'markdown': f'**{number}**', 'latex': f'\\textbf{{{number}}}', 'csv': number}[style]


def _markdown(head: list[str], body: list[list[str]], text_columns: int) -> str:
    rule = ['---'] * text_columns + ['---:'] * (len(head) - text_columns)
    return ''.join(f'| {" | ".join(cells)} |\n' for cells in (head, rule, *body))


def _latex(head: list[str], body: list[list[str]], text_columns: int) -> str:
    columns = 'l' * text_columns + 'r' * (len(head) - text_columns)
    lines = [' & '.join(cells) + r' \\' for cells in (head, *body)]
    return '\n'.join(
        [
            f'\\begin{{tabular}}{{{columns}}}',
            r'\toprule',
            lines[0],
            r'\midrule',
            *lines[1:],
            r'\bottomrule',
            r'\end{tabular}',
            '',
        ]
    )


def _csv(head: list[str], body: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator='\n').writerows([head, *body])
    return text.getvalue()


def _write(path: str | Path, text: str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
