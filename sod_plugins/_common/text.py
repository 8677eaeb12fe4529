"""Names of files as text that can be shown."""

from __future__ import annotations


def printable(name: str) -> str:
    """Return a name as Unicode that any encoder takes.

    What is no UTF-8 in a file's name, which Python reads as lone surrogates, becomes a mark.
    """
    return name.encode('utf-8', 'surrogateescape').decode('utf-8', 'replace')
