"""The one way to write a file: whole, or not at all.

A file is written under a temporary name beside its final one, flushed to the disk and then renamed.
So a file under its final name is always complete, and an older one stays until the new one is: on
a full disk, after a kill, and while another process writes the same file.
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

# Temporary names are of bounded length, as names of 255 bytes are allowed.
_PREFIX = '.sod-'
_SUFFIX = '.part'


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write bytes; it takes its final name when the block ends without an error.

    The folder is made where it is missing. An existing file keeps its permissions.

    Args:
        path: The file's final name.

    Yields:
        The open temporary file.

    Raises:
        OSError: It cannot be written; the message names the file. Nothing of it is left, and an
            older file of that name is as it was.
    """
    with _replacing(Path(path)) as (file, _):
        yield file


@contextlib.contextmanager
def writing_text(path: str | Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open a file to write text in UTF-8, as :func:`writing` does bytes."""
    with _replacing(Path(path)) as (file, _):
        # What names of files hold beyond UTF-8 is written as it was read.
        text = io.TextIOWrapper(file, 'utf-8', errors='surrogateescape', newline=newline)
        yield text
        text.flush()
        text.detach()


@contextlib.contextmanager
def writing_path(path: str | Path) -> Iterator[Path]:
    """Give the name of an empty temporary file to a writer that takes names, not open files.

    Otherwise as :func:`writing`. The name ends in the suffix of ``path``, as some writers choose
    the format by it.
    """
    path = Path(path)
    with _replacing(path, path.suffix) as (_, temporary):
        yield temporary


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file of bytes, see :func:`writing`."""
    with writing(path) as file:
        file.write(content)


def write_text(path: str | Path, content: str) -> None:
    """Write a file of text in UTF-8, see :func:`writing`."""
    with writing_text(path) as file:
        file.write(content)


@contextlib.contextmanager
def _replacing(path: Path, suffix: str = '') -> Iterator[tuple[BinaryIO, Path]]:
    """Give a new temporary file, open and by name, which takes the place of a file at the end."""
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a folder. Name a file to write.")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file, temporary = _create(path.parent, suffix)
        with file:
            yield file, temporary
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            raise type(error)(error.errno, f"cannot write '{path}': {error.strerror}") from error
        raise


def _create(folder: Path, suffix: str = '') -> tuple[BinaryIO, Path]:
    """Create a file of a new name; no link that lies in wait under a guessed name is followed."""
    while True:
        temporary = folder / f'{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}{suffix}'
        with contextlib.suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, 'O_BINARY', 0)
            return os.fdopen(os.open(temporary, flags, 0o666), 'w+b'), temporary
