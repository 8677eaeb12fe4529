"""Write files completely or not at all; all code of the package writes through this module.

A file is written under a temporary name in the same folder, flushed to disk and then renamed. A
file under its final name is therefore always complete, and an older one stays until the new one is
complete: on a full disk, after a kill, and while another process writes the same file.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

# Temporary names are of bounded length, because names may have up to 255 bytes.
_PREFIX = '.sod-'
_SUFFIX = '.part'


@contextlib.contextmanager
def writing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file to write bytes; it gets its final name when the block ends without an error.

    The folder is created if it does not exist. An existing file keeps its permissions.

    Args:
        path: The final name of the file.

    Yields:
        The open temporary file.

    Raises:
        OSError: The file cannot be written; the message names it. Nothing of it remains, and an
            older file of that name is left unchanged.
    """
    with _replacing(Path(path)) as (file, _):
        yield file


@contextlib.contextmanager
def writing_text(path: str | Path, newline: str | None = None) -> Iterator[TextIO]:
    """Open a file to write text in UTF-8, as :func:`writing` does for bytes."""
    with _replacing(Path(path)) as (file, _):
        # Bytes of file names that are not UTF-8 are written as they were read.
        text = io.TextIOWrapper(file, 'utf-8', errors='surrogateescape', newline=newline)
        yield text
        text.flush()
        text.detach()


@contextlib.contextmanager
def writing_path(path: str | Path) -> Iterator[Path]:
    """Yield the name of an empty temporary file, for writers that take names, not open files.

    Otherwise like :func:`writing`. The name ends in the extension of ``path``, because some writers
    derive the format from it.
    """
    path = Path(path)
    with _replacing(path, path.suffix) as (_, temporary):
        yield temporary


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write bytes to a file; see :func:`writing`."""
    with writing(path) as file:
        file.write(content)


def write_text(path: str | Path, content: str) -> None:
    """Write text to a file in UTF-8; see :func:`writing`."""
    with writing_text(path) as file:
        file.write(content)


def is_out_of_space(error: BaseException) -> bool:
    """Return whether an error means that a disk or quota is full, or a file as large as allowed."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    return isinstance(error, OSError) and error.errno in full


@contextlib.contextmanager
def _replacing(path: Path, suffix: str = '') -> Iterator[tuple[BinaryIO, Path]]:
    """Yield a new temporary file, open and by name, which finally replaces a file."""
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a folder. Name a file to write.")
    if path.exists() and not path.is_file():  # replacing it would remove a device from the system
        raise OSError(f"'{path}' is a device or a pipe. Name a file to write.")
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
    """Create a file under a new name, without following links planted under guessed names."""
    while True:
        temporary = folder / f'{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}{suffix}'
        with contextlib.suppress(FileExistsError):
            flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, 'O_BINARY', 0)
            return os.fdopen(os.open(temporary, flags, 0o666), 'w+b'), temporary
