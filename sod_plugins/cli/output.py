"""Standard output whose failure is told from that of a file: results are written before."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class OutputError(Exception):
    """Standard output is closed or full.

    Attributes:
        reason: Why, or None where nobody reads on, of which nothing has to be said.
    """

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.reason = None if error.errno == errno.EPIPE else error.strerror


class _Output:
    """Passes text on to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _told():
            return self._stream.write(text)

    def flush(self) -> None:
        with _told():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(error) from error


@contextlib.contextmanager
def telling_output() -> Iterator[None]:
    """Let ``print`` raise :class:`OutputError` where standard output fails, here at the latest."""
    with contextlib.redirect_stdout(_Output(sys.stdout)):
        yield
        sys.stdout.flush()


def discard_output() -> None:
    """Let the interpreter flush, at its end, what standard output did not take."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
