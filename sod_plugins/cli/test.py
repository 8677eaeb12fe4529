"""``sod test``: test a checkpoint by a config, like ``tools/test.py``, from anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from sod_plugins.cli.train_test import add_arguments, run_host_command

__all__ = ['HELP', 'add_arguments', 'run']
HELP = 'test a trained checkpoint by a config'


def run(argv: Sequence[str]) -> int:
    """Run the host's command and return its exit status."""
    return run_host_command('test_command', argv, 'sod test')
