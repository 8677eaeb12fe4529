"""Coloured text, on terminals only."""

from __future__ import annotations

import os
import sys
from typing import Literal, TextIO

Style = Literal['bold', 'dim', 'red', 'green', 'yellow']
_CODES: dict[Style, int] = {'bold': 1, 'dim': 2, 'red': 31, 'green': 32, 'yellow': 33}


def paint(text: str, style: Style, stream: TextIO | None = None) -> str:
    """Return a text with the codes of a style, or unchanged where they do not belong.

    Only a terminal gets colours, and none if ``NO_COLOR`` is set (no-color.org) or it is dumb.

    Args:
        text: The text.
        style: The style.
        stream: Where it is printed; standard output by default.
    """
    coloured = text and has_colour(stream or sys.stdout)
    return f'\x1b[{_CODES[style]}m{text}\x1b[0m' if coloured else text


def print_error(message: object) -> None:
    """Print an error on standard error, as every verb does."""
    print(f'{paint("sod: error:", "red", sys.stderr)} {message}', file=sys.stderr)


def has_colour(stream: TextIO) -> bool:
    """Return whether a stream shows colours."""
    if os.environ.get('NO_COLOR') or os.environ.get('TERM') == 'dumb':
        return False
    return stream.isatty()
