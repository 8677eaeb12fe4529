"""The single exception for bad data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

_LISTED = 10


class DataError(ValueError):
    """A file, folder or list that cannot be used as saliency data.

    The message says what is wrong, with which files, and what to do about it.
    """


def list_files(files: Iterable[str | Path]) -> str:
    """Name the first ten files and count the rest, for error messages."""
    names = [str(file) for file in files]
    text = ', '.join(names[:_LISTED])
    if len(names) > _LISTED:
        text += f' and {len(names) - _LISTED} more'
    return text


def list_problems(problems: Sequence[str]) -> str:
    """List the first ten problems, one per line, and count the rest, for error messages."""
    lines = list(problems[:_LISTED])
    if len(problems) > _LISTED:
        lines.append(f'and {len(problems) - _LISTED} more')
    return '\n'.join(lines)
