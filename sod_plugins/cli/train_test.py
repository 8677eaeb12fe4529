"""What ``sod train`` and ``sod test`` share: the choice of the adapter that runs a config."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn

from sod_plugins._common.names import LAUNCHERS
from sod_plugins._common.reading import read_text
from sod_plugins.cli.arguments import import_host
from sod_plugins.cli.completion import complete_by, config_names
from sod_plugins.configs import YAML, find_config

_IMPORT = re.compile(r'^\s*(?:from|import)\s+detectron2\b', re.MULTILINE)
# Sections of a yaml file of detectron2, such as MODEL, or a LazyConfig that it has saved as yaml.
_SECTION = re.compile(r'^[\s{"\']*(?:_BASE_|[A-Z][A-Z0-9_]*)["\']?\s*:|\b_target_["\']?\s*:', re.M)
# The options of the commands of both hosts that take one value, and that take none.
_COMMON = (
    *('--work-dir', '--num-processes', '--num-gpus', '--num-machines', '--machine-rank'),
    '--dist-url',
)
_WITH_VALUE = {'train': _COMMON, 'test': (*_COMMON, '--out', '--show-dir')}
_SWITCHES = {'train': ('--amp', '--channels-last'), 'test': ('--crf',)}


def add_host_arguments(parser: argparse.ArgumentParser, verb: Literal['train', 'test']) -> None:
    """Add the arguments of both hosts' commands, for shells to complete."""
    complete_by(parser.add_argument('config'), config_names)
    if verb == 'test':
        parser.add_argument('checkpoint')
    else:
        parser.add_argument('--resume', nargs='?')
    _add_options(parser, _WITH_VALUE[verb], _SWITCHES[verb])


def run_host_command(name: str, argv: Sequence[str], prog: str) -> int:
    """Run a command of the adapter whose config the words name, and return the exit status.

    A config that cannot be one is refused here, before a host is imported, which takes seconds.

    Args:
        name: ``'train_command'`` or ``'test_command'``.
        argv: The words of the command line.
        prog: What messages call the command.

    Raises:
        ImportError: The host is not installed.
    """
    word, options_are_known = config_word(argv)
    if word is not None and options_are_known:
        try:
            require_config(word)
        except (OSError, ValueError) as error:
            print(f'{prog}: error: {error}', file=sys.stderr)
            return 2
    adapter = 'detectron2' if word and is_detectron2_config(word) else 'openmmlab'
    command = getattr(import_host(f'{adapter}.commands'), name)
    return int(command(argv, prog=prog))


def config_word(argv: Sequence[str]) -> tuple[str | None, bool]:
    """Return the word of a command line that names the config, or None, and whether that is sure.

    It is not sure if there are options of neither host, since these may have values.
    """
    # OpenMMLab's --resume may take a checkpoint; detectron2's takes none.
    for resume in ({'nargs': '?'}, {'action': 'store_true'}):
        try:
            given, others = _parser(resume).parse_known_args(argv)
        except ValueError:
            continue
        return given.config, not any(word.startswith('-') for word in others)
    return None, False


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _parser(resume: dict[str, Any]) -> argparse.ArgumentParser:
    parser = _Parser(add_help=False)
    parser.add_argument('config')
    parser.add_argument('--resume', **resume)
    hidden = ('--import', '--local_rank', '--local-rank')
    _add_options(
        parser,
        (*hidden, *dict.fromkeys([*_WITH_VALUE['train'], *_WITH_VALUE['test']])),
        (*_SWITCHES['train'], *_SWITCHES['test'], '--help', '-h'),
    )
    return parser


def _add_options(
    parser: argparse.ArgumentParser, with_value: Sequence[str], switches: Sequence[str]
) -> None:
    parser.add_argument('--cfg-options', nargs='+')
    parser.add_argument('--launcher', choices=LAUNCHERS)
    for option in with_value:
        parser.add_argument(option)
    for option in switches:
        parser.add_argument(option, action='store_true')


def require_config(word: str) -> None:
    """Refuse a word that names no config of any host.

    Raises:
        OSError: There is no such file or name, it is a folder, or it cannot be read.
        ValueError: The file is empty, or a yaml file that is not detectron2's.
    """
    path = find_config(word)
    text = read_text(path)
    if not text.strip():
        raise ValueError(f"The config '{path}' is empty.")
    if path.suffix in YAML and not _SECTION.search(text):
        raise ValueError(
            f"The config '{path}' is for neither host: yaml files of detectron2 have sections such "
            'as MODEL and SOLVER, and configs of OpenMMLab are Python files.'
        )


def is_detectron2_config(word: str) -> bool:
    """Return whether a word names a config of detectron2.

    That is a yaml file, or a LazyConfig: a Python file that imports detectron2, which a config of
    OpenMMLab never does.
    """
    try:
        path = find_config(word)
    except OSError:  # the host refuses it
        return Path(word).suffix in YAML
    if path.suffix != '.py':
        return path.suffix in YAML
    return bool(_IMPORT.search(path.read_text('utf-8', 'replace')))
