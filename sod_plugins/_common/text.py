"""Show file names as text."""

from __future__ import annotations


def printable(name: str) -> str:
    """Return a name as Unicode that every encoder accepts.

    Bytes of a file name that are not UTF-8, which Python reads as lone surrogates, are replaced.
    """
    return name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
