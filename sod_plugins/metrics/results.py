"""The scores of a data set, and how they are stored in files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sod_plugins._common import reading
from sod_plugins._common.writing import write_text
from sod_plugins.data import DataError
from sod_plugins.metrics.protocols import FloatArray
from sod_plugins.metrics.registry import MEASURES, MeasureInfo

# A spreadsheet reads a cell that begins with one of these, or with one of full width, as a formula.
_FORMULA_SIGNS = tuple('=+-@\t\r\n\uff1d\uff0b\uff0d\uff20')


@dataclass(frozen=True)
class Evaluation:
    """The scores of a data set under one protocol.

    Attributes:
        protocol: Name of the protocol.
        count: Number of images that the means are over.
        measures: The measures by key, fractions from 0 to 1, in the requested order.
        curves: Arrays of equal length: ``thresholds`` (fractions, ascending) and the curves that
            the measures need, usually ``precision``, ``recall``, ``f`` and ``e``.
        per_image: The ``stem`` and own measures of each image, sorted by stem.
        skipped: Stems of the images that the protocol leaves out.
        about: Titles and directions of the measures, where they differ from the registered ones.
        dark: Stems of saved maps whose small values were read as dark rather than as a smaller
            scale, because the folder holds brighter maps too.
    """

    protocol: str
    count: int
    measures: dict[str, float]
    curves: dict[str, FloatArray]
    per_image: tuple[dict[str, Any], ...] = ()
    skipped: tuple[str, ...] = ()
    about: dict[str, MeasureInfo] = field(default_factory=dict, compare=False, repr=False)
    dark: tuple[str, ...] = ()

    def info(self, key: str) -> MeasureInfo:
        """Return the title and direction of a measure."""
        return self.about.get(key) or MEASURES[key].info()

    def describe(self) -> str:
        """Summarise in one line what was measured and how."""
        skipped = f' ({len(self.skipped)} without foreground left out)' if self.skipped else ''
        return f'Saliency maps of {self.count} images{skipped}, protocol {self.protocol}'

    def table(self) -> str:
        """Return the measures as a table in Markdown."""
        from sod_plugins.metrics.tables import TableRow, evaluation_table

        return evaluation_table([TableRow('', self)])

    def write_json(self, path: str | Path) -> None:
        """Write everything but the per-image scores as JSON, with the measures at the top level."""
        write_text(path, self.to_json())

    def to_json(self) -> str:
        """Return the JSON text that ``write_json`` writes."""
        record = {
            'protocol': self.protocol,
            'count': self.count,
            **self.measures,
            'measures': [asdict(self.info(key)) for key in self.measures],
            'skipped': list(self.skipped),
            'dark': list(self.dark),
            'curves': {name: curve.tolist() for name, curve in self.curves.items()},
        }
        return json.dumps(record, indent=1) + '\n'

    def write_per_image_csv(self, path: str | Path) -> None:
        """Write one line per image: stem, protocol and the image's measures, in full precision.

        Images that the protocol skips are listed last, without numbers. A stem that a spreadsheet
        would read as a formula is preceded by an apostrophe.
        """
        body = [
            [scores['stem'], self.protocol, *(repr(scores[key]) for key in self.measures)]
            for scores in self.per_image
        ]
        body += [[stem, self.protocol, *('' for _ in self.measures)] for stem in self.skipped]
        write_text(path, csv_text(['stem', 'protocol', *self.measures], body, text_columns=2))


def read_json(path: str | Path) -> Evaluation:
    """Read what ``Evaluation.write_json`` wrote, to compare and plot without scoring again.

    Also reads files of older versions, which had eleven measures and did not list them.

    Returns:
        The evaluation without ``per_image``.

    Raises:
        DataError: The file cannot be read or is not an evaluation.
    """
    try:
        record = reading.read_json(path)
        about = _recorded_measures(record)
        return Evaluation(
            protocol=record['protocol'],
            count=record['count'],
            measures={key: float(record[key]) for key in about},
            curves={name: np.array(curve) for name, curve in record['curves'].items()},
            skipped=tuple(record['skipped']),
            about=about,
            dark=tuple(record.get('dark', ())),
        )
    except OSError as error:
        raise DataError(
            f"Cannot read the evaluation '{path}': {reading.why(error)}. Correct the path."
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise DataError(
            f"Cannot read the evaluation '{path}': {error!r}. Write it again by sod eval --json."
        ) from error


def write_json(evaluation: Evaluation, path: str | Path) -> None:
    """Write an evaluation; see ``Evaluation.write_json``."""
    evaluation.write_json(path)


def write_per_image_csv(evaluation: Evaluation, path: str | Path) -> None:
    """Write the scores of the images; see ``Evaluation.write_per_image_csv``."""
    evaluation.write_per_image_csv(path)


def csv_text(head: Sequence[str], body: Iterable[Sequence[str]], text_columns: int) -> str:
    """Return a table as CSV; the first columns are escaped so that none reads as a formula."""
    text = io.StringIO()
    rows = ([*map(_no_formula, row[:text_columns]), *row[text_columns:]] for row in body)
    csv.writer(text, lineterminator='\n').writerows([head, *rows])
    return text.getvalue()


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA_SIGNS) else cell


def _recorded_measures(record: dict[str, Any]) -> dict[str, MeasureInfo]:
    if 'measures' in record:
        return {info['key']: MeasureInfo(**info) for info in record['measures']}
    found = {key: measure.info() for key, measure in MEASURES.items() if key in record}
    if not found:
        raise KeyError('measures')
    return found
