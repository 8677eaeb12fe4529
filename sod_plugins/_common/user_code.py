"""Import users' own code, which registers measures or networks as it is imported.

It is named by the user, or by the entry-point group ``sod_plugins`` of an installed package. A name
found in a checkpoint is never imported.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ENTRY_POINTS = 'sod_plugins'
_IMPORTED: list[str] = []


def import_user_code(source: str) -> ModuleType:
    """Import a module by its name, or a file by its path.

    Modules are also searched for in the current folder. Each is imported only once.

    Args:
        source: A module or file, such as ``'my_package.measures'`` or ``'tools/measures.py'``.

    Raises:
        ImportError: The module or file does not exist or fails to import; the message names it.
    """
    try:
        if not source:
            raise _MissingCodeError('the name is empty')
        if source.endswith('.py') or os.sep in source:
            module = _import_file(Path(source))
        else:
            module = _import_module(source)
    except Exception as error:
        reason = str(error) if isinstance(error, _MissingCodeError) else f'{error!r}'
        raise ImportError(f"Cannot import '{source}': {reason}. Correct it.") from error
    if source not in _IMPORTED:
        _IMPORTED.append(source)
    return module


def imported_user_code() -> tuple[str, ...]:
    """Return the imported sources, so that worker processes can import them too."""
    return tuple(_IMPORTED)


def import_all_user_code(sources: tuple[str, ...]) -> None:
    """Import the sources that another process has imported."""
    for source in sources:
        import_user_code(source)


def add_import_option(parser: argparse.ArgumentParser) -> None:
    """Let a command line name user code by ``--import``, in ``imports`` of the result."""
    parser.add_argument(
        '--import',
        dest='imports',
        action='append',
        default=[],
        metavar='MODULE',
        help='import your own code first, a module or a file *.py; repeatable',
    )


@functools.cache
def import_entry_points() -> None:
    """Import the entry points of the group ``sod_plugins`` of installed packages, once.

    Raises:
        ImportError: An entry point fails to import; the message names it.
    """
    from importlib.metadata import entry_points  # slow to import, and seldom needed

    for entry in entry_points(group=ENTRY_POINTS):
        try:
            entry.load()
        except Exception as error:
            raise ImportError(
                f"Cannot import '{entry.value}', an entry point of an installed package: "
                f'{error!r}. Correct or uninstall it.'
            ) from error


class _MissingCodeError(ImportError):
    """The file or module does not exist."""


def _import_module(name: str) -> ModuleType:
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # at the end: user files shadow nothing
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f'{error.name}.')):
            raise _MissingCodeError('there is no such module') from error
        raise


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise _MissingCodeError('there is no such file')
    path = path.resolve()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    name = f'sod_plugins_user_{path.stem}_{digest}'
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise _MissingCodeError('it is not a Python file')
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs, because pickles look functions up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
