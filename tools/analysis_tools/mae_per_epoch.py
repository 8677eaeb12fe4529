r"""Draw the mean absolute error of validation over a training, for several runs (Fig. 11 and 14).

    python tools/analysis_tools/mae_per_epoch.py scratch=work_dirs/scratch \
        pre-trained=work_dirs/pretrained -o mae.png

A run is a work folder of tools/train.py; the logs of all its parts count, in order of time: where a
run was resumed, what came later replaces what it repeated. How often the error is measured is
`train_cfg.val_interval` of the config. Prints the errors as Markdown, each run's lowest in bold,
and with -o draws them (needs matplotlib).

Trainings by epochs are drawn over epochs. The others are drawn over iterations: those of the last
line of the log before the validation, which are exact where `val_interval` is a multiple of the
logger's `interval`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from sod_plugins.data import DataError, require_writable
from sod_plugins.visualization.curves import COLORS, require_matplotlib, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAE = 'saliency/mae'


class Run(NamedTuple):
    """The errors of a training by epoch or iteration; ``unit`` says which."""

    unit: str
    errors: dict[int, float]


def read_run(work_dir: Path) -> Run:
    """Read the errors of validation from all logs of a work folder.

    Raises:
        DataError: There is no log, a log is damaged, or none has an error of validation.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise DataError(f"'{work_dir}' has no log */vis_data/scalars.json: name a work folder.")
    unit = 'iteration'
    errors: dict[int, float] = {}
    for log in logs:
        iteration = 0
        measured: dict[int, float] = {}
        for row in _rows(log):
            if MAE in row:
                # mmengine notes the epoch, which stays 0 in trainings by iterations.
                unit = 'epoch' if row['step'] else 'iteration'
                measured[row['step'] or iteration] = row[MAE]
            iteration = row.get('iter', iteration)
        first = min(measured, default=0)
        errors = {step: mae for step, mae in errors.items() if step < first or not measured}
        errors |= measured
    if not errors:
        raise DataError(f"'{work_dir}' was never validated by sod_plugins.SaliencyMetric.")
    return Run(unit, errors)


def _rows(log: Path) -> Iterator[dict[str, Any]]:
    """Read a log line by line; a last line that was cut off is left out."""
    lines = log.read_text('utf-8').splitlines()
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number < len(lines):
                raise DataError(f"line {number} of '{log}' is damaged ({error}).") from error


def format_table(runs: Mapping[str, Run]) -> str:
    """Return the errors of all runs as Markdown, each run's lowest in bold."""
    unit = next(iter(runs.values())).unit
    lines = [f'| {unit} | {" | ".join(runs)} |', f'|---:|{"---:|" * len(runs)}']
    best = {name: min(run.errors.values()) for name, run in runs.items()}
    for step in sorted({step for run in runs.values() for step in run.errors}):
        cells = []
        for name, run in runs.items():
            mae = run.errors.get(step)
            text = '-' if mae is None else f'{mae:.4f}'
            cells.append(f'**{text}**' if mae == best[name] else text)
        lines.append(f'| {step} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def draw(runs: Mapping[str, Run]) -> Figure:
    """Draw the error of every run over epochs or iterations."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout='constrained')
    axes = figure.subplots()
    for (name, run), color in zip(runs.items(), COLORS, strict=False):
        steps = sorted(run.errors)
        label = f'{name}, lowest {min(run.errors.values()):.4f}'
        maes = [run.errors[step] for step in steps]
        axes.plot(steps, maes, color=color, linewidth=1.5, marker='o', markersize=3, label=label)
    axes.set(xlabel=f'{next(iter(runs.values())).unit}s', ylabel='mean absolute error')
    axes.set_xlim(left=0)
    axes.grid(alpha=0.25)
    axes.spines[['top', 'right']].set_visible(False)
    axes.legend(frameon=False)
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line, print the table and save the figure."""
    args = _parser().parse_args(argv)
    try:
        if args.out is not None:
            require_matplotlib()
            require_writable(args.out.parent)
        runs = {name: read_run(path) for name, path in args.runs}
        if len(runs) < len(args.runs) or len(runs) > len(COLORS):
            raise ValueError(f'name at most {len(COLORS)} runs, each by another NAME.')
        if len({run.unit for run in runs.values()}) > 1:
            raise ValueError('some runs count epochs and some iterations: name either kind.')
        if args.out is not None:
            save_figure(draw(runs), args.out, dpi=110)
        print(format_table(runs))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f'mae_per_epoch.py: error: {error}')


def _named_folder(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition('=')
    return (name, Path(path)) if equals else (Path(text).name, Path(text))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'runs', nargs='+', type=_named_folder, metavar='[NAME=]DIR', help='work folders to compare'
    )
    parser.add_argument('-o', '--out', type=Path, metavar='FILE', help='draw the errors in FILE')
    return parser


if __name__ == '__main__':
    main()
