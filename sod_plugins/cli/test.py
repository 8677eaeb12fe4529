"""``sod test``: test a checkpoint by a config, like ``tools/test.py``, from anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sod_plugins.cli.train_test import add_host_arguments, run_host_command

HELP = 'test a trained checkpoint by a config'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a shell may complete: the host's command parses its own arguments."""
    add_host_arguments(parser, 'test')


def run(argv: Sequence[str]) -> int:
    """Run the host's command and return its exit status."""
    return run_host_command('test_command', argv, 'sod test')
