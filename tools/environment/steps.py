"""Announced steps: one line each on the console, everything else in a log file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAST_LINES = 15


class StepError(Exception):
    """A step failed; the message is one text for the user, with the log file named."""


def run_or_exit(main: Callable[[], int]) -> None:
    """Call ``main``; turn a failed step or Ctrl-C into a message and an exit status."""
    try:
        sys.exit(main())
    except StepError as error:
        sys.exit(f'\nFAILED: {error}')
    except KeyboardInterrupt:
        print('\nInterrupted. The same command continues where it stopped.', file=sys.stderr)
        sys.exit(130)


class Steps:
    """Runs commands, each with an announcement, a time and a log file of its own.

    Args:
        log_dir: Folder of the log files, made when the first step runs.

    Attributes:
        seconds: How long each step that has ended took, by its name.
    """

    def __init__(self, log_dir: Path) -> None:
        self.log_dir = log_dir
        self.seconds: dict[str, float] = {}

    def run(
        self,
        name: str,
        title: str,
        command: Sequence[str | Path],
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Run one command from the repository's root.

        Args:
            name: Names the log file, ``<log_dir>/<name>.log``.
            title: What the user reads while it runs.
            command: Program and arguments.
            env: Whole environment of the program; this process's own by default.

        Raises:
            StepError: The program could not be started or ended with a non-zero status.
        """
        self.log_dir.mkdir(parents=True, exist_ok=True)
        log_file = self.log_dir / f'{name}.log'
        print(f'==> {title}', flush=True)
        started = time.monotonic()
        with log_file.open('w', encoding='utf-8', errors='replace') as log:
            print('$', *command, file=log, flush=True)
            process = subprocess.Popen(
                [str(part) for part in command],
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
            try:
                self._wait(process, started)
            except KeyboardInterrupt:
                # The terminal has sent Ctrl-C to the child too: let it end in its own way.
                process.wait()
                raise
        self.seconds[name] = seconds = time.monotonic() - started
        if process.returncode:
            raise StepError(
                f'{title} (exit status {process.returncode}, log file {log_file}).\n'
                f'Its last lines:\n{_tail(log_file)}'
            )
        print(f'    done in {seconds:.0f} s', flush=True)

    @staticmethod
    def _wait(process: subprocess.Popen, started: float) -> None:
        """Wait for a process and say once a minute that it is still running."""
        minute = 1
        while True:
            try:
                process.wait(timeout=max(0.0, started + 60 * minute - time.monotonic()))
                return
            except subprocess.TimeoutExpired:
                print(f'    still running after {minute} min', flush=True)
                minute += 1


def clean_environ(python: Path) -> dict[str, str]:
    """Return the environment variables for programs of a virtual environment.

    Its own programs come first on the path (a build looks ``ninja`` up there), and nothing of the
    caller's Python (``PYTHONPATH``, ``PYTHONHOME``) leaks in.
    """
    environ = {k: v for k, v in os.environ.items() if k not in ('PYTHONPATH', 'PYTHONHOME')}
    environ['PATH'] = os.pathsep.join([str(python.parent), environ.get('PATH', os.defpath)])
    environ['VIRTUAL_ENV'] = str(python.parent.parent)
    return environ


def have_compiler() -> bool:
    """Whether a C++ compiler can be called."""
    return any(map(shutil.which, (os.environ.get('CXX', 'c++'), 'g++', 'clang++')))


def _tail(log_file: Path) -> str:
    lines = log_file.read_text('utf-8', errors='replace').splitlines()
    return '\n'.join(f'    {line}' for line in lines[-LAST_LINES:])
