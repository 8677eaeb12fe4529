r"""Write the losses and measures of a training as CSV, as they lie beside the configs.

    python tools/analysis_tools/log_to_csv.py work_dirs/sod-small -o configs/sod_small/log.csv

The logs of all parts of a run count, in order of time: where it was resumed, what came later
replaces what it repeated. Several work folders are the stages of one training, in this order; the
column `stage` tells them apart. Measures stand in the row of the iteration that they follow.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.writing import writing_text
from sod_plugins.data import DataError, require_writable

COLUMNS = ('lr', 'grad_norm', 'loss')  # and whatever begins like these:
GROUPS = ('decode.loss', 'distill.loss', 'loss_', 'saliency/', 'instances/', 'coco/')
DIGITS = 5


def read_run(work_dir: Path) -> dict[int, dict[str, float]]:
    """Read what a work folder's logs say about each iteration.

    Raises:
        DataError: There is no log, or one is damaged.
    """
    logs = sorted(work_dir.glob('*/vis_data/scalars.json'))
    if not logs:
        raise DataError(f"'{work_dir}' has no log */vis_data/scalars.json: name a work folder.")
    rows: dict[int, dict[str, float]] = {}
    for log in logs:
        part = _read_part(log)
        if part:  # a part that was killed before its first line replaces nothing
            rows = {step: row for step, row in rows.items() if step < min(part)} | part
    return rows


def _read_part(log: Path) -> dict[int, dict[str, float]]:
    part: dict[int, dict[str, float]] = {}
    step = 0
    for number, line in enumerate(log.read_text('utf-8').splitlines(), 1):
        try:
            values: dict[str, Any] = json.loads(line)
            step = int(values.get('iter', step))
            kept = {k: v for k, v in values.items() if k in COLUMNS or k.startswith(GROUPS)}
        except (ValueError, AttributeError) as error:
            raise DataError(f"Line {number} of '{log}' is no line of a log: {error}.") from error
        part.setdefault(step, {}).update(kept)
    return part


def write_csv(runs: Sequence[dict[int, dict[str, float]]], path: Path) -> None:
    """Write the rows of the stages, one an iteration, with all columns that any has."""
    names = {name for run in runs for row in run.values() for name in row}
    ordered = sorted(names, key=lambda name: (_rank(name), name))
    with writing_text(path, newline='') as file:
        writer = csv.writer(file, lineterminator='\n')
        writer.writerow(['stage', 'iteration', *ordered])
        for stage, run in enumerate(runs, 1):
            for step, row in sorted(run.items()):
                values = (f'{row[name]:.{DIGITS}g}' if name in row else '' for name in ordered)
                writer.writerow([stage, step, *values])


def _rank(name: str) -> int:
    if name in COLUMNS:
        return COLUMNS.index(name)
    return len(COLUMNS) + next(i for i, group in enumerate(GROUPS) if name.startswith(group))


def main(argv: Sequence[str] | None = None) -> None:
    """Parse the command line and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('work_dirs', nargs='+', type=Path, help='work folders, stage by stage')
    parser.add_argument('-o', '--out', type=Path, required=True, metavar='CSV')
    args = parser.parse_args(argv)
    try:
        runs = [read_run(folder) for folder in args.work_dirs]
        require_writable(args.out.parent)
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_csv(runs, args.out)
    except (DataError, OSError) as error:
        parser.exit(2, f'{parser.prog}: error: {error}\n')
    print(f'{args.out}: {sum(map(len, runs))} rows')


if __name__ == '__main__':
    main()
