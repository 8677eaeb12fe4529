"""Run the test suite: ``python3 tools/run_tests.py [--line LINE] [--coverage] [--service] [...]``.

Needs Python 3.10+ with ``venv`` and, the first time, a C++ compiler: the detection host uses the
compiled ops of mmcv. Standard library only at the start; all else is installed into ``.venv`` or,
for the upstream line of OpenMMLab, ``.venv-openmmlab``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from environment import LINES, ROOT, TEST, Environment, Line, add_venv_option, run_or_exit

MAX_PROCESSES = 4  # of one thread and up to 2 GB each
RESULTS = ROOT / 'work_dirs' / 'test_results'
COVERAGE = RESULTS / 'coverage.json'
# What has a stage of its own: whole services, browsers, fuzzers.
SERVICE = ('-m', 'service', '--dist', 'loadfile', '--durations', '5')
COUNTED = ('tests', 'service')
# Elements of a JUnit report -> pytest's words.
OUTCOMES = {'failure': 'failed', 'error': 'error', 'skipped': 'skipped'}


@dataclass(frozen=True)
class Result:
    """What one line came to: pytest's exit status, its counts, and the seconds of each stage."""

    line: Line
    status: int
    counts: str
    stages: dict[str, float]


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """Return our own options and the arguments for pytest."""
    parser = argparse.ArgumentParser(
        usage='%(prog)s [-h] [--line LINE] [--coverage] [--service] [--venv DIR] [...]',
        description='Create or complete the environment, then run the test suite.',
        epilog='All other arguments go to pytest, for example: -x tests/networks -k csnet; or -n 0 '
        'for a single process, in which a debugger can stop. The line openmmlab runs the tests '
        'that meet a host (-m host), the other one all but those with a stage of their own '
        "(-m 'not service'); -m '' runs all.",
        allow_abbrev=False,
    )
    parser.add_argument(
        '--line',
        choices=(*LINES, 'both'),
        default='onedl',
        help='which OpenMMLab packages to test with (default: %(default)s)',
    )
    parser.add_argument(
        '--coverage',
        action='store_true',
        help='print the share of our lines that the first line of packages runs; a third slower',
    )
    parser.add_argument(
        '--service',
        action='store_true',
        help='then test whole services too, with a browser where Chromium is installed',
    )
    add_venv_option(parser, default='.venv, or .venv-openmmlab for that line')
    args, pytest_args = parser.parse_known_args()
    if args.line == 'both' and args.venv:
        parser.error('--venv names one environment, and --line both needs two')
    return args, pytest_args


def main() -> int:
    """Test each line that is asked for; return the first exit status of pytest that is not 0."""
    args, pytest_args = parse_args()
    lines = LINES.values() if args.line == 'both' else [LINES[args.line]]
    results = []
    COVERAGE.unlink(missing_ok=True)
    for line in lines:
        measured = args.coverage and not results
        extra = ['--cov=sod_plugins', f'--cov-report=json:{COVERAGE}'] if measured else []
        results.append(test_line(line, args.venv, [*extra, *pytest_args]))
        if args.service and line is next(iter(LINES.values())):
            results.append(test_service(line, args.venv))
    print_overview(results)
    return next((result.status for result in results if result.status), 0)


def test_line(line: Line, venv: Path | None, pytest_args: list[str]) -> Result:
    """Make the environment of a line fit and run its tests."""
    started = time.monotonic()
    environment = Environment(venv, line=line)
    environment.ensure(TEST)
    stages = {'environment': time.monotonic() - started}
    if 'mmcv-compile' in environment.steps.seconds:
        stages['of it, compilation of mmcv'] = environment.steps.seconds['mmcv-compile']

    print(f'==> Run the tests of the line {line.name}', flush=True)
    arguments = [*line.pytest_args, *pytest_args]
    status, counts, stages['tests'] = run_pytest(environment, line.name, arguments)
    return Result(line, status, counts, stages)


def test_service(line: Line, venv: Path | None) -> Result:
    """Run the tests of whole services, in an environment that fits already."""
    print('==> Run the tests of whole services', flush=True)
    environment = Environment(venv, line=line)
    status, counts, seconds = run_pytest(environment, f'{line.name}-service', SERVICE)
    return Result(line, status, counts, {'service': seconds})


def run_pytest(
    environment: Environment, name: str, arguments: Sequence[str]
) -> tuple[int, str, float]:
    """Run pytest; return its exit status, its counts and its seconds."""
    started = time.monotonic()
    report = RESULTS / f'{name}.xml'
    report.unlink(missing_ok=True)
    processes = min(os.cpu_count() or 1, MAX_PROCESSES)
    command = [environment.python, '-m', 'pytest', '-n', str(processes), '--dist', 'worksteal']
    command += ['--junit-xml', report, *arguments]
    # Threads of one process would wait for the cores that the others hold.
    environ = environment.environ | {'OMP_NUM_THREADS': '1'}
    status = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode
    return status, read_counts(report), time.monotonic() - started


def read_counts(report: Path) -> str:
    """Return pytest's counts from its JUnit report, such as ``2 failed, 40 passed``."""
    if not report.is_file():
        return 'pytest was interrupted'
    counts: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter('testcase'):
        outcome = next((child for child in case if child.tag in OUTCOMES), None)
        if outcome is None:
            counts['passed'] += 1
        elif outcome.get('type') == 'pytest.xfail':
            counts['xfailed'] += 1
        else:
            counts[OUTCOMES[outcome.tag]] += 1
    return ', '.join(f'{counts[outcome]} {outcome}' for outcome in sorted(counts)) or 'none was run'


def print_overview(results: list[Result]) -> None:
    """Print how long each stage of each line took, and which counts are whose."""
    print('\n==> Time of each stage')
    for result in results:
        for stage, seconds in result.stages.items():
            row = f'    {result.line.name:<10} {stage:<27} {_clock(seconds)}'
            print(f'{row}  {result.counts}' if stage in COUNTED else row)
    total = sum(r.stages.get(stage, 0) for r in results for stage in ('environment', *COUNTED))
    print(f'    {"all":<38} {_clock(total)}')
    if COVERAGE.is_file():
        totals = json.loads(COVERAGE.read_text('utf-8'))['totals']
        print(
            f'    coverage: {totals["percent_covered"]:.1f}% of {totals["num_statements"]:,} '
            'statements of sod_plugins'
        )


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f'{minutes:>3} min {seconds:02d} s'


if __name__ == '__main__':
    run_or_exit(main)
