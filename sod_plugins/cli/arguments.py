"""Parser, common arguments and early checks of the subcommands of ``sod``."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sod_plugins._common.choices import suggestion
from sod_plugins._common.limits import MOST_WORKERS
from sod_plugins._common.names import EXIF_RULES, PROTOCOLS
from sod_plugins.cli.completion import complete_by, model_names
from sod_plugins.cli.style import paint

# The file name that stands for standard output, in subcommands that offer it.
STDOUT = Path('-')


_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from (?P<choices>.*)\)$", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Reports errors in one line, without the usage, and suggests what a misspelt word means."""

    def error(self, message: str) -> NoReturn:  # noqa: D102 (argparse's)
        if found := _CHOICE.search(message):
            hint = suggestion(found['given'], re.findall(r'[\w.-]+', found['choices']))
            message += hint and f'.{hint}'
        head = paint(f'{self.prog}: error:', 'red', sys.stderr)
        self.exit(2, f'{head} {message} ({self.prog} --help tells more)\n')

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Report words that no argument takes."""
        options = [name for action in self._actions for name in action.option_strings]
        given = [word.partition('=')[0] for word in words if word.startswith('--')]
        # Without the dashes, in which all of them are alike.
        hints = (suggestion(word[2:], [name[2:] for name in options]) for word in given)
        hint = next(filter(None, hints), '').replace("'", "'--", 1)
        self.error(f'unrecognized arguments: {" ".join(words)}{hint and f".{hint}"}')


def file_path(text: str) -> Path:
    """Parse a path, for ``type`` of an argument; an empty one would mean the current folder."""
    if not text:
        raise argparse.ArgumentTypeError('the path is empty')
    return Path(text)


def add_path(
    verb: argparse.ArgumentParser,
    *names: str,
    help: str,
    metavar: str = 'FILE',
    required: bool = False,
) -> None:
    """Add an argument that names a file or folder."""
    verb.add_argument(*names, type=file_path, metavar=metavar, help=help, required=required)


def add_quiet(verb: argparse.ArgumentParser, default: Any = False) -> None:
    """Add ``--quiet``; the default ``argparse.SUPPRESS`` keeps what an outer verb was told."""
    verb.add_argument(
        '-q',
        '--quiet',
        action='store_true',
        default=default,
        help='show no progress, print results and errors only',
    )


def add_half(verb: argparse.ArgumentParser) -> None:
    """Add ``--half``."""
    verb.add_argument(
        '--half', action='store_true', help='write half precision, in about half the bytes'
    )


def add_exif(verb: argparse.ArgumentParser) -> None:
    """Add ``--exif``."""
    verb.add_argument(
        '--exif',
        choices=EXIF_RULES,
        help='turn images upright by their stated orientation (default), or read them as stored',
    )


def add_network_choice(verb: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--checkpoint`` and ``--instances``, of which one may be given."""
    network = verb.add_mutually_exclusive_group()
    model = network.add_argument(
        '--model', metavar='NAME', help='a model listed by sod models (default: sod-small)'
    )
    complete_by(model, model_names)
    network.add_argument(
        '--checkpoint',
        type=file_path,
        metavar='FILE',
        help='a network file, or a file written by sod export',
    )
    network.add_argument(
        '--instances',
        action='store_true',
        help='predict salient instances with the default model for them',
    )


class _AsTuple(argparse.Action):
    """Store several values as a tuple, as functions that take a size expect it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        setattr(namespace, self.dest, tuple(values))


def add_size(verb: argparse.ArgumentParser, help: str) -> None:
    """Add ``--size HEIGHT WIDTH``, the input size of a network: a tuple, or None."""
    metavar = ('HEIGHT', 'WIDTH')
    verb.add_argument('--size', type=int, nargs=2, action=_AsTuple, metavar=metavar, help=help)


def add_evaluation_options(verb: argparse.ArgumentParser) -> None:
    """Add the arguments that ``sod eval`` and ``sod report`` share."""
    verb.add_argument(
        '--protocol', choices=PROTOCOLS, default=PROTOCOLS[0], help='default: %(default)s'
    )
    verb.add_argument(
        '--measures',
        type=comma_separated,
        metavar='KEY,KEY',
        help="compute only these, such as max_f,mae; 'all' and 'default' stand for several",
    )
    add_path(verb, '--list', help='text file of the images to score, one stem or path per line')
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
        help='turn masks upright or, with ignore, read them as stored (default: %(default)s)',
    )
    verb.add_argument('--method', help='name of the method (default: that of PRED_DIR)')
    add_path(verb, '--curves', help='write PR and F-measure curves as FILE.png and FILE.pdf')
    verb.add_argument(
        '--workers',
        type=worker_count,
        default=0,
        metavar='N',
        help='worker processes (default: 0)',
    )


def evaluation_options(args: argparse.Namespace) -> dict[str, Any]:
    """Return the values of ``add_evaluation_options`` as arguments of the evaluation functions."""
    names = (
        *('protocol', 'measures', 'workers', 'exif'),
        *('pred_prefix', 'pred_suffix', 'mask_prefix', 'mask_suffix'),
    )
    return {'list_file': args.list, **{name: getattr(args, name) for name in names}}


def comma_separated(text: str) -> list[str]:
    """Parse comma-separated words, for ``type`` of an argument."""
    return [word.strip() for word in text.split(',') if word.strip()]


def whole_number(least: int, most: int, what: str = '') -> Callable[[str], int]:
    """Return what parses a number within limits, for ``type`` of an argument.

    Args:
        least: The smallest allowed number, at least 0.
        most: The largest one.
        what: What is counted, in the plural.
    """

    def parse(text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            number = f'number of {what}' if what else 'whole number'
            message = f"'{text:.40}' is not a {number} from {least:,} to {most:,}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return parse


worker_count = whole_number(0, MOST_WORKERS, 'workers')


def positive(text: str) -> float:
    """Parse a finite number above 0, for ``type`` of an argument."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"'{text:.40}' is not a number above 0")
    return number


def pixel(text: str) -> tuple[int, int]:
    """Parse X,Y, for ``type`` of an argument."""
    x, _, y = text.partition(',')
    if not (x.isdecimal() and y.isdecimal()):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form X,Y, two numbers from 0")
    return int(x), int(y)


def named_file(text: str) -> tuple[str, Path]:
    """Parse NAME=FILE, for ``type`` of an argument."""
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f"'{text}' is not of the form NAME=FILE")
    return name, Path(path)


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait, unless the user chose otherwise.

    Threads that spin while they wait take cores from each other if other programs compute: a photo
    then took 7 to 15 s instead of 2.
    """
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')


def require_cuda(device: str | None) -> None:
    """Refuse ``--half`` without a CUDA device."""
    import torch

    if not str(device or 'cuda').startswith('cuda') or not torch.cuda.is_available():
        raise ValueError('--half needs a CUDA device, and none is available or named.')


def require_writable_files(files: Sequence[Path | None]) -> None:
    """Check before any work that output files can be written."""
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
        if not module.startswith('openmmlab'):
            raise
        raise ImportError(
            f'this verb needs OpenMMLab, of which {error.name} is missing: run pip install '
            "'sod-plugins[onedl]'."
        ) from error
