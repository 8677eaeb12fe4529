"""Journals: JSON lines appended to a file by one process at a time.

An appended record is in the file at once and survives a kill of the process. A journal serves work
whose result is a single file that can be written only at the end.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from sod_plugins._common.reading import open_regular

# Some network file systems cannot lock files; two processes may then write at once.
_CANNOT_LOCK = (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS)


class Journal:
    """A file of records, open for one process; use it in a ``with`` statement.

    A last line that was cut off by a kill or a full disk is ignored, and the next record replaces
    it.

    Args:
        path: The file, created if it does not exist, in an existing folder.

    Raises:
        OSError: The file cannot be opened, is not a regular file, or another process has it open:
            then its ``errno`` is ``EAGAIN``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._file = _open_locked(self.path)
        self._end = sum(len(line) for line in self._lines())

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def append(self, record: Any) -> None:
        """Append a record.

        Raises:
            OSError: It cannot be written; the message names the file, which is left unchanged.
        """
        line = json.dumps(record).encode() + b'\n'
        try:
            os.ftruncate(self._file, self._end)  # drops the rest of a line that was cut off
            written = 0
            while written < len(line):
                written += os.write(self._file, line[written:])
            self._end += written
        except BaseException as error:
            if isinstance(error, OSError):
                reason = f"cannot write '{self.path}': {error.strerror}"
                raise type(error)(error.errno, reason) from error
            raise

    @property
    def is_empty(self) -> bool:
        """Return whether there is no record."""
        return not self._end

    def records(self) -> Iterator[Any]:
        """Yield every record, oldest first.

        Raises:
            ValueError: A line is not JSON; the message names the file and the line.
        """
        for number, line in enumerate(self._lines(), start=1):
            try:
                yield json.loads(line)
            except (ValueError, RecursionError) as error:
                raise ValueError(
                    f"'{self.path}', line {number}, is damaged ({error}). Remove the file."
                ) from error

    def discard(self) -> None:
        """Remove the file, after its records are stored elsewhere."""
        self.path.unlink()

    def _lines(self) -> Iterator[bytes]:
        """Yield the complete lines."""
        with open_regular(self.path) as file:
            for line in file:
                if line.endswith(b'\n'):
                    yield line


def _open_locked(path: Path) -> int:
    """Open a file for this process only, making sure that it is not being removed."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        file = os.open(path, flags, 0o666)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise BlockingIOError(
                    errno.EAGAIN,
                    f"another process is writing '{path}'. Wait for it to end, or choose another "
                    'folder',
                ) from None
            except OSError as error:
                if error.errno not in _CANNOT_LOCK:
                    raise
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file), path.stat()):
                    return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)
