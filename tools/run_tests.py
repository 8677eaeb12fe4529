"""Run the whole test suite: ``python3 tools/run_tests.py [pytest arguments]``.

Needs Python 3.10+ with ``venv`` and, the first time, a C++ compiler: the detection host uses the
compiled ops of mmcv. Standard library only at the start; all else is installed into ``.venv``.
"""

from __future__ import annotations

import argparse
import os
import subprocess

from environment import ROOT, TEST, Environment, add_venv_option, run_or_exit

MAX_PROCESSES = 4  # of one thread and up to 2 GB each


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    """Return our own options and the arguments for pytest."""
    parser = argparse.ArgumentParser(
        usage='%(prog)s [-h] [--venv DIR] [pytest arguments]',
        description='Create or complete the environment, then run the test suite.',
        epilog='All other arguments go to pytest, for example: -x tests/networks -k csnet; or -n 0 '
        'for a single process, in which a debugger can stop.',
        allow_abbrev=False,
    )
    add_venv_option(parser)
    return parser.parse_known_args()


def main() -> int:
    """Make the environment fit and return the exit status of pytest."""
    args, pytest_args = parse_args()
    environment = Environment(args.venv)
    environment.ensure(TEST)
    print('==> Run the tests', flush=True)
    processes = min(os.cpu_count() or 1, MAX_PROCESSES)
    command = [environment.python, '-m', 'pytest', '-n', str(processes), '--dist', 'worksteal']
    # Threads of one process would wait for the cores that the others hold.
    environ = environment.environ | {'OMP_NUM_THREADS': '1'}
    return subprocess.run([*command, *pytest_args], cwd=ROOT, env=environ, check=False).returncode


if __name__ == '__main__':
    run_or_exit(main)
