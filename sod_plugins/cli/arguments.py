"""What the verbs of ``sod`` share: their parser, common arguments and early checks."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from sod_plugins._common.names import EXIF_RULES, PROTOCOLS

# The name of a file that stands for standard output, where a verb offers that.
STDOUT = Path('-')


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:  # noqa: D102 (argparse's)
        self.exit(2, f'{self.prog}: error: {message} ({self.prog} --help tells more)\n')


def add_path(
    verb: argparse.ArgumentParser,
    *names: str,
    help: str,
    metavar: str = 'FILE',
    required: bool = False,
) -> None:
    """Add an argument that names a file or folder."""
    verb.add_argument(*names, type=Path, metavar=metavar, help=help, required=required)


def add_exif(verb: argparse.ArgumentParser) -> None:
    """Add ``--exif``."""
    verb.add_argument(
        '--exif',
        choices=EXIF_RULES,
        help='turn images as they state (default), or leave them as they are stored',
    )


def add_size(verb: argparse.ArgumentParser, help: str) -> None:
    """Add ``--size HEIGHT WIDTH``, the size of a network's input."""
    verb.add_argument('--size', type=int, nargs=2, metavar=('HEIGHT', 'WIDTH'), help=help)


def add_evaluation_options(verb: argparse.ArgumentParser) -> None:
    """Add what ``sod eval`` and ``sod report`` have in common."""
    verb.add_argument(
        '--protocol', choices=PROTOCOLS, default=PROTOCOLS[0], help='default: %(default)s'
    )
    verb.add_argument(
        '--measures',
        type=comma_separated,
        metavar='KEY,KEY',
        help="compute these only, such as max_f,mae; 'all' and 'default' stand for several",
    )
    add_path(verb, '--list', help='text file of the images to score, one stem or path a line')
    for role, files in (('pred', 'saliency maps'), ('mask', 'masks')):
        for part in ('prefix', 'suffix'):
            verb.add_argument(
                f'--{role}-{part}',
                default='',
                metavar='TEXT',
                help=f'{part} of the names of {files}',
            )
    verb.add_argument(
        '--exif',
        choices=EXIF_RULES,
        default=EXIF_RULES[0],
        help='read masks upright or, with ignore, as they are stored (default: %(default)s)',
    )
    verb.add_argument('--method', help="the method's name (default: that of PRED_DIR)")
    add_path(verb, '--curves', help='write PR and F-measure curves as FILE.png and FILE.pdf')
    verb.add_argument(
        '--workers',
        type=process_count,
        default=0,
        metavar='N',
        help='further processes (default: 0)',
    )


def evaluation_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return what ``add_evaluation_options`` read, as arguments of the functions that evaluate."""
    names = (
        *('protocol', 'measures', 'workers', 'exif'),
        *('pred_prefix', 'pred_suffix', 'mask_prefix', 'mask_suffix'),
    )
    return {'list_file': args.list, **{name: getattr(args, name) for name in names}}


def comma_separated(text: str) -> list[str]:
    """Read words between commas, an argument's ``type``."""
    return [word.strip() for word in text.split(',') if word.strip()]


def process_count(text: str) -> int:
    """Read a number of processes, an argument's ``type``."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of processes")
    return int(text)


def pixel(text: str) -> tuple[int, int]:
    """Read X,Y, an argument's ``type``."""
    x, _, y = text.partition(',')
    if not (x.isdecimal() and y.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form X,Y, two numbers from 0")
    return int(x), int(y)


def named_file(text: str) -> tuple[str, Path]:
    """Read NAME=FILE, an argument's ``type``."""
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=FILE")
    return name, Path(path)


def require_writable_files(files: Sequence[Path | None]) -> None:
    """Refuse output files that could not be written, before any work."""
    from sod_plugins.data import require_writable

    for path in files:
        if path is None or path == STDOUT:
            continue
        if path.is_dir():
            raise IsADirectoryError(f"'{path}' is a folder. Name a file to write.")
        require_writable(path.parent)


def import_host(module: str) -> Any:
    """Import a module of an adapter.

    Raises:
        ImportError: Its host is not installed; the message names the extra.
    """
    try:
        return importlib.import_module(f'sod_plugins.{module}')
    except ModuleNotFoundError as error:
        raise ImportError(
            f'this verb needs OpenMMLab, of which {error.name} is missing: run pip install '
            "'sod-plugins[onedl]'."
        ) from error
