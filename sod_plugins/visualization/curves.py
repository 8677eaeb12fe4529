"""Precision-recall and F-measure curves of one or several methods (needs matplotlib)."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sod_plugins._common.text import printable
from sod_plugins._common.writing import writing_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# One method's curves: equally long arrays 'precision', 'recall', 'f' and 'thresholds' in [0, 1].
Curves = Mapping[str, NDArray[np.float64]]

# Okabe and Ito's palette: safe for colour-blind readers, and visible on black too.
COLORS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9')
_DRAWN = {'thresholds', 'precision', 'recall', 'f'}
# Placeholder for the reader's text colour in an SVG; no other element uses it.
_INK = '#010203'
_NO_METADATA = dict.fromkeys(('Creator', 'Date', 'Format', 'Type'))


def require_matplotlib() -> None:
    """Raise an ImportError that says what to install if matplotlib is missing."""
    if importlib.util.find_spec('matplotlib') is None:
        raise ImportError(
            "Figures need matplotlib, which is not installed: pip install 'sod-plugins[report]'."
        )


def can_draw(curves: Curves) -> bool:
    """Return whether the curves were recorded, which some choices of measures do not need."""
    return curves.keys() >= _DRAWN


def draw_curves(methods: Mapping[str, Curves], title: str = '') -> Figure:
    """Draw the PR curves and the F-measure against the threshold side by side.

    Args:
        methods: The curves of each method, by the name shown in the legend.
        title: Printed above the figure; usually the data set and the protocol.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: There is no method, or one was evaluated without these curves.
    """
    if not methods:
        raise ValueError('there are no curves to draw')
    lacking = [name for name, curves in methods.items() if not can_draw(curves)]
    if lacking:
        raise ValueError(
            f'The evaluation of {", ".join(lacking)} has no F-measure curve. Evaluate with max_f '
            "among the measures, or with curves=['f']."
        )
    require_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.4), layout='constrained')
    precision_recall, f_measure = figure.subplots(1, 2)
    for index, (name, curves) in enumerate(methods.items()):
        style = {
            'color': COLORS[index % len(COLORS)],
            'linestyle': ('-', '--', ':')[index // len(COLORS) % 3],
            'linewidth': 2,
        }
        label = _label(name)
        precision_recall.plot(curves['recall'], curves['precision'], label=label, **style)
        best = int(np.argmax(curves['f']))
        f_measure.plot(
            curves['thresholds'],
            curves['f'],
            label=f'{label}, max {curves["f"][best]:.3f}',
            marker='o',
            markevery=[best],
            **style,
        )
    _label_axes(precision_recall, 'recall', 'precision')
    _label_axes(f_measure, 'threshold', 'F-measure (β² = 0.3)')
    precision_recall.legend(loc='lower left', frameon=False)
    f_measure.legend(loc='lower center', frameon=False)
    if title:
        figure.suptitle(_label(title))
    return figure


def save_curves(path: str | Path, methods: Mapping[str, Curves], title: str = '') -> list[Path]:
    """Save the figure of :func:`draw_curves` as ``path`` with extensions ``.png`` and ``.pdf``.

    An extension ``.png`` or ``.pdf`` of ``path`` is dropped first. Returns the two paths.
    """
    figure = draw_curves(methods, title)
    saved = curve_files(path)
    for target in saved:
        save_figure(figure, target, dpi=150)
    return saved


def curve_files(path: str | Path) -> list[Path]:
    """Return the two files that :func:`save_curves` writes."""
    path = Path(path)
    stem = path.name[: -len(path.suffix)] if path.suffix in ('.png', '.pdf') else path.name
    return [path.with_name(f'{stem}.png'), path.with_name(f'{stem}.pdf')]


def save_figure(figure: Figure, path: str | Path, dpi: int) -> None:
    """Save a matplotlib figure in the format given by the file's extension.

    Raises:
        OSError: The file cannot be written.
    """
    with writing_path(path) as unfinished:
        figure.savefig(unfinished, dpi=dpi)


def curves_as_svg(methods: Mapping[str, Curves]) -> str:
    """Return the figure of :func:`draw_curves` as an SVG element for use inside an HTML page.

    The background is transparent, and text and axes take the colour of the surrounding text.
    """
    require_matplotlib()
    import matplotlib as mpl

    ink: dict[Any, Any] = {f'{part}.color': _INK for part in ('text', 'xtick', 'ytick')}
    ink |= {'axes.edgecolor': _INK, 'axes.labelcolor': _INK, 'svg.fonttype': 'none'}
    text = io.StringIO()
    with mpl.rc_context(ink | {'font.family': 'sans-serif', 'svg.hashsalt': 'sod_plugins'}):
        draw_curves(methods).savefig(text, format='svg', transparent=True, metadata=_NO_METADATA)
    svg = text.getvalue()
    return svg[svg.index('<svg') :].replace(_INK, 'currentColor')


def _label(name: str) -> str:
    """Escape a name for matplotlib, which reads text between dollar signs as a formula."""
    return printable(name).replace('$', r'\$')


def _label_axes(axes: Axes, x_name: str, y_name: str) -> None:
    axes.set(xlabel=x_name, ylabel=y_name, xlim=(0, 1), ylim=(0, 1.04))
    axes.grid(alpha=0.25)
    axes.spines[['top', 'right']].set_visible(False)
