"""Read files that are named by a user, a list or another file: regular files only.

A pipe or a device under such a name would block the reader or never end, so it is rejected before
anything is read. All code of the package reads such files through this module.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

# No list, label file or annotation of a published data set comes near this size.
LARGEST_TEXT = 1 << 30
LARGEST_JSON = 1 << 31  # the annotations of LVIS, the largest in common use, have 1.2e9 bytes

_CHUNK = 1 << 20


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read bytes.

    Raises:
        OSError: It does not exist, cannot be read, or is a folder, pipe or device; ``strerror``
            gives the reason.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    flags = os.O_RDONLY | getattr(os, 'O_NONBLOCK', 0) | getattr(os, 'O_BINARY', 0)
    descriptor = os.open(path, flags)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, 'it is a pipe or a device, not a regular file', str(path))
        return os.fdopen(descriptor, 'rb')
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: str | os.PathLike[str], largest: int = LARGEST_TEXT) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        largest: Larger files (in bytes) are rejected unread.

    Raises:
        OSError: See :func:`open_regular`; or the file is larger.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > largest:
            reason = f'it has {size:,} bytes, more than the {largest:,} that are read at once'
            raise OSError(errno.EFBIG, reason, str(path))
        return file.read()


def read_stream(stream: BinaryIO, largest: int = LARGEST_TEXT) -> bytes:
    """Read a stream to its end, such as standard input.

    Raises:
        ValueError: It does not end within ``largest`` bytes.
    """
    content = stream.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f'The input does not end within {largest:,} bytes. Name a file instead.')
    return content


def read_text(path: str | os.PathLike[str], largest: int = LARGEST_TEXT) -> str:
    """Read a text file as editors on any system write it.

    The encoding is UTF-8, or UTF-16 in either byte order; a byte order mark is removed. Line ends
    are left unchanged; use ``str.splitlines``.

    Args:
        path: The file.
        largest: Larger files (in bytes) are rejected unread.

    Raises:
        OSError: See :func:`read_bytes`.
        ValueError: It has another encoding.
    """
    content = read_bytes(path, largest)
    try:
        return content.decode(_encoding(content))
    except UnicodeDecodeError as error:
        raise ValueError(
            f"'{Path(path)}' is text neither in UTF-8 nor in UTF-16 (byte {error.start} fits "
            'neither). Save it as UTF-8.'
        ) from error


def read_json(path: str | os.PathLike[str], largest: int = LARGEST_JSON) -> Any:
    """Read a JSON file in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Args:
        path: The file.
        largest: Larger files (in bytes) are rejected unread.

    Raises:
        OSError: See :func:`read_bytes`.
        ValueError: It is not JSON or nested too deep; the message names it.
    """
    try:
        content = read_bytes(path, largest)
    except ValueError as error:  # a name with a null character
        raise ValueError(f'{os.fspath(path)!r} cannot be the name of a file ({error})') from error
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError(f"'{path}' is nested too deep to be read as JSON") from None
    except ValueError as error:
        raise ValueError(f"'{path}' is not JSON ({error})") from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file as 64 hex digits.

    Raises:
        OSError: See :func:`open_regular`.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def why(error: OSError) -> str:
    """Return the reason of an error without number and file name, for use in a sentence."""
    return error.strerror or str(error)


def sentence(error: OSError) -> str:
    """Describe an error in a sentence: its file, if it names one, and the reason."""
    file = error.filename2 or error.filename
    return why(error) if file is None else f"'{file}' cannot be used: {why(error)}"


def _encoding(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return 'utf-16'
    # Text has no null bytes, but every second byte of plain words in UTF-16 is null.
    if content[1:2] == b'\0' != content[:1]:
        return 'utf-16-le'
    if content[:1] == b'\0' != content[1:2]:
        return 'utf-16-be'
    return 'utf-8-sig'
