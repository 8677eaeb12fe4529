"""Show file names and counts as text."""

from __future__ import annotations


def printable(name: str) -> str:
    """Return a name as Unicode that every encoder accepts.

    Bytes of a file name that are not UTF-8, which Python reads as lone surrogates, are replaced.
    """
    return name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')


def counted(count: int, noun: str) -> str:
    """Return a count and what is counted, such as ``'1 image'`` and ``'2 images'``."""
    return f'{count} {noun}{"" if count == 1 else "s"}'
