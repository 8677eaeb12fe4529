"""What the test command reads out of a run and prints about it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'

EVERY_OUTCOME = """
import pytest

def test_passes(): pass
def test_passes_too(): pass
def test_fails(): assert False
def test_is_skipped(): pytest.skip('not here')
@pytest.mark.xfail(strict=True)
def test_fails_as_expected(): assert False
@pytest.mark.xfail(strict=True)
def test_passes_unexpectedly(): pass
@pytest.fixture
def broken(): raise ValueError
def test_has_an_error(broken): pass
"""


@pytest.fixture
def run_tests(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(TOOLS))
    import run_tests

    yield run_tests
    del sys.modules['run_tests']


def test_counts_are_those_of_pytest(run_tests: ModuleType, tmp_path: Path) -> None:
    (tmp_path / 'test_all.py').write_text(EVERY_OUTCOME, 'utf-8')
    report = tmp_path / 'report.xml'
    command = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', '--junit-xml', report]
    done = subprocess.run(
        [*command, 'test_all.py'], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    counts = run_tests.read_counts(report)
    assert counts == '1 error, 2 failed, 2 passed, 1 skipped, 1 xfailed'
    (closing,) = (line for line in done.stdout.splitlines() if ' passed' in line)
    assert all(count in closing for count in counts.split(', '))


def test_a_run_without_a_report_was_interrupted(run_tests: ModuleType, tmp_path: Path) -> None:
    assert run_tests.read_counts(tmp_path / 'none.xml') == 'pytest was interrupted'


def test_the_overview_says_whose_each_count_is(
    run_tests: ModuleType,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from environment import ONEDL, OPENMMLAB

    monkeypatch.setattr(run_tests, 'COVERAGE', tmp_path / 'coverage.json')
    totals = '{"totals": {"percent_covered": 96.25, "num_statements": 12345}}'
    run_tests.COVERAGE.write_text(totals, 'utf-8')
    run_tests.print_overview(
        [
            run_tests.Result(ONEDL, 0, '7 passed', {'environment': 3.2, 'tests': 61.0}),
            run_tests.Result(ONEDL, 0, '3 passed', {'service': 30.0}),
            run_tests.Result(
                OPENMMLAB, 1, '1 failed', {'environment': 600.0, 'of it': 540.0, 'tests': 59.6}
            ),
        ]
    )
    rows = [' '.join(row.split()) for row in capsys.readouterr().out.splitlines()[2:]]
    assert rows == [
        'onedl environment 0 min 03 s',
        'onedl tests 1 min 01 s 7 passed',
        'onedl service 0 min 30 s 3 passed',
        'openmmlab environment 10 min 00 s',
        'openmmlab of it 9 min 00 s',
        'openmmlab tests 1 min 00 s 1 failed',
        'all 12 min 34 s',
        'coverage: 96.2% of 12,345 statements of sod_plugins',
    ]


def test_one_folder_cannot_hold_both_lines(tmp_path: Path) -> None:
    command = [sys.executable, TOOLS / 'run_tests.py', '--line', 'both', '--venv', tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert '--line both needs two' in done.stderr
