"""``sod train``: train a model from a config, like ``tools/train.py``, from anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from sod_plugins.cli.train_test import add_arguments, run_host_command

__all__ = ['HELP', 'add_arguments', 'run']
HELP = 'train a model from a config'


def run(argv: Sequence[str]) -> int:
    """Run the host's command and return its exit status."""
    return run_host_command('train_command', argv, 'sod train')
