"""Arguments that must be one of some values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar('T')


def require_choice(
    name: str,
    value: T,
    choices: Iterable[T],
    error: type[Exception] = ValueError,
) -> T:
    """Return a value if it is one of the choices.

    Args:
        name: The argument's name, which the message begins with.
        value: What was given.
        choices: What may be given.
        error: What to raise otherwise.

    Raises:
        ValueError: (or ``error``) If it is none of them; the message names the choices, and the
            nearest one of a misspelt text.
    """
    choices = tuple(choices)
    if value in choices:
        return value
    texts = [choice for choice in choices if isinstance(choice, str)]
    near = difflib.get_close_matches(value, texts, n=1) if isinstance(value, str) else []
    hint = f' Did you mean {near[0]!r}?' if near else ''
    listed = ', '.join(map(repr, choices))
    raise error(f'{name} must be one of {listed}, got {value!r}.{hint}')
