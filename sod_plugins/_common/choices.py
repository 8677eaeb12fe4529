"""Check arguments that must be one of several values."""

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
        name: The name of the argument, with which the message begins.
        value: The given value.
        choices: The allowed values.
        error: The exception to raise.

    Raises:
        ValueError: (or ``error``) It is not one of the choices. The message lists the choices, and
            suggests the most similar one for a misspelt text.
    """
    choices = tuple(choices)
    if value in choices:
        return value
    texts = [choice for choice in choices if isinstance(choice, str)]
    hint = suggestion(value, texts) if isinstance(value, str) else ''
    listed = ', '.join(map(repr, choices))
    raise error(f'{name} must be one of {listed}, got {value!r}.{hint}')


def suggestion(text: str, choices: Iterable[str]) -> str:
    """Return a sentence that suggests the choice most similar to a text, empty if none is."""
    near = difflib.get_close_matches(text, list(choices), n=1)
    return f' Did you mean {near[0]!r}?' if near else ''
