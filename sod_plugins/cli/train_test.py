"""What ``sod train`` and ``sod test`` share: which adapter runs the config that they name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sod_plugins.cli.arguments import import_host
from sod_plugins.configs import config_path

YAML = ('.yaml', '.yml')  # OpenMMLab's configs are Python files
_IMPORT = re.compile(r'^\s*(?:from|import)\s+detectron2\b', re.MULTILINE)
# Words before one that is not the config.
_OPTIONS = ('--import', '--work-dir', '--out', '--show-dir')


def run_host_command(name: str, argv: Sequence[str], prog: str) -> int:
    """Run a command of the adapter whose config the words name, and return the exit status.

    Args:
        name: ``'train_command'`` or ``'test_command'``.
        argv: The words of the command line.
        prog: What messages call the command.

    Raises:
        ImportError: The host is not installed.
    """
    adapter = 'detectron2' if names_detectron2_config(argv) else 'openmmlab'
    command = getattr(import_host(f'{adapter}.commands'), name)
    return int(command(argv, prog=prog))


def names_detectron2_config(argv: Sequence[str]) -> bool:
    """Return whether the words of a command line name a config of detectron2.

    That is a yaml file, or a LazyConfig: a Python file that imports detectron2, which a config of
    OpenMMLab never does.
    """
    previous = ['', *argv]
    return any(
        _is_detectron2_config(word)
        for word, before in zip(argv, previous, strict=False)
        if before not in _OPTIONS and not word.startswith('-')
    )


def _is_detectron2_config(word: str) -> bool:
    path = Path(word)
    if path.suffix in YAML:
        return True
    if not path.is_file():
        try:
            path = Path(config_path(word))
        except FileNotFoundError:
            return False
    if path.suffix != '.py':
        return path.suffix in YAML
    return bool(_IMPORT.search(path.read_text('utf-8', 'replace')))
