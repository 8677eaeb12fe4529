"""``sod completion``: let a shell complete the words of ``sod``."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import Any

HELP = 'print what lets a shell complete the words of sod'
SHELLS = ('bash', 'zsh', 'fish')
# The variable by which a shell asks for completions, see argcomplete.
ASKED = '_ARGCOMPLETE'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument('shell', choices=SHELLS, help='write its configuration file: see docs')


def run(args: argparse.Namespace) -> int:
    """Print the code that a shell reads."""
    print(_argcomplete().shellcode(['sod'], shell=args.shell), end='')
    return 0


def complete_by(action: argparse.Action, names: Callable[[], Iterable[str]]) -> None:
    """Complete an argument by names, and by files if no name fits.

    Args:
        action: What ``add_argument`` returned.
        names: Returns the names; called only while a shell completes.
    """

    def complete(prefix: str, **_: Any) -> list[str]:
        fitting = [name for name in names() if name.startswith(prefix)]
        return fitting or _argcomplete().FilesCompleter()(prefix)

    action.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks


def model_names() -> list[str]:
    """Return the names of the models, for :func:`complete_by`."""
    from sod_plugins.zoo.cards import list_models

    return list_models()


def config_names() -> list[str]:
    """Return the names of the configs, for :func:`complete_by`."""
    from sod_plugins.configs import list_configs

    return list_configs()


def is_asked() -> bool:
    """Return whether a shell asks for completions, instead of running a verb."""
    return ASKED in os.environ


def answer(parser: argparse.ArgumentParser) -> None:
    """Give the shell the words that may follow, and end the process."""
    _argcomplete().autocomplete(parser, always_complete_options=False)


def _argcomplete() -> Any:
    try:
        import argcomplete
    except ImportError as error:
        raise ImportError(
            "completion needs argcomplete: run pip install 'sod-plugins[completion]'."
        ) from error
    return argcomplete
