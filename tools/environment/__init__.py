"""The virtual environment of the two commands, ``tools/quickstart.py`` and ``tools/run_tests.py``.

Standard library only: these modules run before anything is installed.
"""

from __future__ import annotations

import sys

# Before the imports below, whose syntax older ones cannot read.
if sys.version_info < (3, 10):  # noqa: UP036
    sys.exit(
        f'sod_plugins needs Python 3.10 or newer, and this is {sys.version.split()[0]} '
        f'({sys.executable}). Run the same command with a newer one, such as python3.11.'
    )

from .lines import LINES, ONEDL, OPENMMLAB, Line
from .steps import ROOT, StepError, Steps, clean_environ, run_or_exit
from .virtual_environment import RUN, TEST, Environment, Profile, add_venv_option

__all__ = [
    'LINES',
    'ONEDL',
    'OPENMMLAB',
    'ROOT',
    'RUN',
    'TEST',
    'Environment',
    'Line',
    'Profile',
    'StepError',
    'Steps',
    'add_venv_option',
    'clean_environ',
    'run_or_exit',
]
