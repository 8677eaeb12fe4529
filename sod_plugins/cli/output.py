"""Print text, or one JSON document, on a standard output that may fail.

Its failure differs from that of a file: results have been written before.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

from sod_plugins.cli.style import print_error


def add_json(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add ``--json``, by which a verb prints one document."""
    parser.add_argument('--json', action='store_true', help='print one JSON document')


def report(args: argparse.Namespace, document: Mapping[str, Any], *lines: str) -> None:
    """Print what was done: with ``--json`` the document, else the lines, unless ``--quiet``."""
    if args.json:
        print_json(document)
    elif not args.quiet:
        print(*lines, sep='\n')


def report_unreadable(unreadable: Mapping[Any, str]) -> int:
    """Name the images that could not be read, with the reasons, and return the exit status."""
    if not unreadable:
        return 0
    print_error(f'unreadable images: {len(unreadable)}')
    for path, reason in unreadable.items():
        print(reason if str(path) in reason else f"'{path}': {reason}", file=sys.stderr)
    return 1


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print a document as JSON, paths as text."""
    print(json.dumps(document, indent=1, default=os.fspath))


class OutputError(Exception):
    """Standard output is closed or full.

    Attributes:
        reason: The reason; None if the reader has left, which needs no message.
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
    """Let ``print`` raise :class:`OutputError` if standard output fails."""
    with contextlib.redirect_stdout(_Output(sys.stdout)):
        yield
        sys.stdout.flush()


def discard_output() -> None:
    """Discard what standard output did not take, which the interpreter would flush at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
