"""The table of measures in the docs is that of the registry; run this file to write it anew."""

from __future__ import annotations

from pathlib import Path

import sod_plugins.metrics
from sod_plugins.metrics import MEASURES

DOCS = Path(__file__).parents[2] / 'docs' / 'measures.md'
BEGIN = '<!-- made by python tests/metrics/test_measures_table.py -->\n'
END = '<!-- end of table -->\n'


def table() -> str:
    """Return a row for each measure of the package."""
    rows = [
        f'| `{measure.key}` | {measure.title} {measure.arrow} | {measure.definition} |\n'
        for measure in MEASURES.values()
    ]
    return ''.join(['| key | measure | definition |\n', '| --- | --- | --- |\n', *rows])


def split_docs() -> tuple[str, str, str]:
    before, _, rest = DOCS.read_text('utf-8').partition(BEGIN)
    inside, _, after = rest.partition(END)
    return before, inside, after


def test_the_docs_have_the_table_of_the_registry():
    assert split_docs()[1] == table()


def test_every_measure_is_defined():
    assert all(measure.definition for measure in MEASURES.values())
    for name in sod_plugins.metrics.__all__:
        assert hasattr(sod_plugins.metrics, name)


if __name__ == '__main__':
    before, _, after = split_docs()
    DOCS.write_text(before + BEGIN + table() + END + after, 'utf-8')
