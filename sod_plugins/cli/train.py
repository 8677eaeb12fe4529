"""``sod train``: train a model from a config, like ``tools/train.py``, from anywhere."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from sod_plugins.cli.train_test import add_host_arguments, run_host_command

HELP = 'train a model from a config'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a shell may complete: the host's command parses its own arguments."""
    add_host_arguments(parser, 'train')


def run(argv: Sequence[str]) -> int:
    """Run the host's command and return its exit status."""
    return run_host_command('train_command', argv, 'sod train')
