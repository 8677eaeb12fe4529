"""Tables of evaluations: several methods, data sets and protocols side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from sod_plugins._common.choices import require_choice
from sod_plugins.metrics.registry import MEASURES, MeasureInfo
from sod_plugins.metrics.results import Evaluation, csv_text

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
    """One row of a table: a method, its scores, and the data set if several are compared."""

    method: str
    evaluation: Evaluation
    dataset: str = ''


def evaluation_table(
    rows: Sequence[TableRow],
    *,
    style: TableStyle = 'markdown',
    measures: Sequence[str] | None = None,
    digits: int = 4,
) -> str:
    """Return a table of methods; every row names the protocol of its numbers.

    Among rows with the same data set and protocol, the best value of each measure (and its ties)
    is bold in Markdown and LaTeX. Numbers are fractions from 0 to 1. A measure that a row lacks is
    printed as a dash, and left empty in CSV.

    Args:
        rows: The methods, in the requested order.
        style: ``'markdown'``, ``'latex'`` (needs the package booktabs) or ``'csv'``.
        measures: Keys of the columns; by default all measures that occur in the rows.
        digits: Decimal places.

    Raises:
        ValueError: There is no row, or a key or the style is unknown.
    """
    if not rows:
        raise ValueError('There are no evaluations to put into a table.')
    require_choice('style', style, get_args(TableStyle))
    infos = measure_infos(row.evaluation for row in rows)
    known: dict[str, MeasureInfo] = {**MEASURES, **infos}
    chosen = infos if measures is None else measures
    keys = [require_choice('measures', key, known) for key in chosen]
    with_dataset = any(row.dataset for row in rows)
    text_head = ['method', 'dataset', 'protocol'] if with_dataset else ['method', 'protocol']
    head = [*text_head, 'images', *(_heading(known[key], style) for key in keys)]
    body = []
    for row in rows:
        texts = [row.method, row.dataset, row.evaluation.protocol]
        if not with_dataset:
            del texts[1]
        cells = [_escape(text, style) for text in texts] + [str(row.evaluation.count)]
        cells += [_cell(row, rows, known[key], style, digits) for key in keys]
        body.append(cells)
    if style == 'csv':
        return csv_text(head, body, len(text_head))
    lay_out = _markdown if style == 'markdown' else _latex
    return lay_out(head, body, len(text_head))


def measure_infos(evaluations: Iterable[Evaluation]) -> dict[str, MeasureInfo]:
    """Return all measures that occur in the evaluations, by key."""
    return {key: scored.info(key) for scored in evaluations for key in scored.measures}


def _cell(
    row: TableRow, rows: Iterable[TableRow], info: MeasureInfo, style: TableStyle, digits: int
) -> str:
    """Format a number, bold if it is the best printed one of its data set and protocol."""
    value = row.evaluation.measures.get(info.key)
    if value is None:
        return {'markdown': '-', 'latex': '--', 'csv': ''}[style]
    rivals = [
        round(other.evaluation.measures[info.key], digits)
        for other in rows
        if (other.dataset, other.evaluation.protocol) == (row.dataset, row.evaluation.protocol)
        and info.key in other.evaluation.measures
    ]
    best = max(rivals) if info.direction == 'higher' else min(rivals)
    number = f'{value:.{digits}f}'
    is_best = len(rivals) > 1 and round(value, digits) == best
    return _bold(number, style) if is_best else number


def _heading(info: MeasureInfo, style: TableStyle) -> str:
    if style == 'csv':
        return info.key
    arrow = info.arrow
    if style == 'latex':
        arrow = r'$\uparrow$' if info.direction == 'higher' else r'$\downarrow$'
    return f'{_escape(info.title, style)} {arrow}'


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
