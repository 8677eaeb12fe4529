"""Declare arguments in one place, and show them on every constructor that passes them on.

A constructor that hands arguments to another one takes them as ``**arguments``: their names,
defaults and documentation then exist only where they are used. By itself this would leave ``help``
and ``inspect.signature`` uninformative, and a misspelt name would be reported from deep inside.
:func:`passes_on` solves both problems.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from inspect import Parameter, Signature
from typing import Any, NamedTuple, TypeVar

C = TypeVar('C', bound=type)

_SECTIONS = ('Args', 'Attributes', 'Raises')
_SECTION = re.compile(rf'^({"|".join(_SECTIONS)}):\n((?: .*\n|\n)*)', re.MULTILINE)
_ENTRY = re.compile(r'^ {4}\S.*\n(?: {5,}.*\n|\n(?= {5}))*', re.MULTILINE)


def passes_on(*targets: Callable[..., Any], without: Collection[str] = ()) -> Callable[[C], C]:
    """Show the arguments that a class's constructor passes on to other classes and functions.

    The constructor takes them as ``**arguments``, and also as ``*args`` if they may be positional.
    Signature and docstring of the class receive the parameters of the targets, and the entries of
    their sections Args, Attributes and Raises. Declarations of the class itself take precedence.

    Args:
        targets: The classes and functions that receive the arguments, one from the other or all
            from the decorated class.
        without: Arguments of the targets that are not exposed, because the constructor sets them.

    Returns:
        A class decorator. Constructors raise TypeError for arguments that do not match, naming the
        decorated class.
    """

    def decorate(cls: C) -> C:
        own = cls.__init__  # type: ignore[misc]  # of this class, not of a subclass
        chain: tuple[Callable[..., Any], ...] = (cls, *targets)
        parameters = _merged_parameters(chain, without)
        signature = Signature(list(parameters.values()))

        @functools.wraps(own)
        def constructor(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(
                    f'{cls.__name__} {error}. Its arguments are {", ".join(parameters)}.'
                ) from None
            own(self, *args, **kwargs)

        itself = Parameter('self', Parameter.POSITIONAL_ONLY)
        constructor.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[itself, *parameters.values()], return_annotation='None'
        )
        cls.__init__ = constructor  # type: ignore[misc]
        cls.__doc__ = _merged_documentation([c.__doc__ for c in chain], parameters)
        return cls

    return decorate


def description(documentation: str | None) -> str:
    """Return a docstring without its sections Args, Attributes and Raises."""
    return _parse(documentation).text


class _Documentation(NamedTuple):
    text: str
    entries: dict[str, list[str]]  # of each section


def _parse(documentation: str | None) -> _Documentation:
    lines = inspect.cleandoc(documentation or '') + '\n'
    entries = {title: _ENTRY.findall(body) for title, body in _SECTION.findall(lines)}
    return _Documentation(_SECTION.sub('', lines).strip(), entries)


def _merged_parameters(
    chain: Sequence[Callable[..., Any]], without: Collection[str]
) -> dict[str, Parameter]:
    """Return the first constructor's parameters, with its ``**`` replaced by those passed on."""
    first, *others = (list(inspect.signature(target).parameters.values()) for target in chain)
    passed: list[Parameter] = []
    for declared in reversed(others):
        passed = _merge(declared, passed)
    merged = _merge(first, passed)
    return {parameter.name: parameter for parameter in merged if parameter.name not in without}


def _merge(own: Iterable[Parameter], passed: Iterable[Parameter]) -> list[Parameter]:
    """Merge a constructor's own parameters with those it passes on, by kind.

    Its own come first among those that may be positional, and last among the others.
    """
    named = {p.name: p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    inner = [p for p in passed if p.name not in named]
    if not any(p.kind is p.VAR_POSITIONAL for p in own):
        inner = [p.replace(kind=p.KEYWORD_ONLY) for p in inner]
    by_name = [p for p in named.values() if p.kind is p.KEYWORD_ONLY]
    by_place = [p for p in named.values() if p.kind is not p.KEYWORD_ONLY]
    return sorted([*by_place, *inner, *by_name], key=lambda p: p.kind)


def _merged_documentation(documentations: Iterable[str | None], parameters: Collection[str]) -> str:
    """Merge docstrings: the text of the first, and the entries of all."""
    parsed = [_parse(documentation) for documentation in documentations]
    parts = [parsed[0].text]
    for title in _SECTIONS:
        entries: dict[str, str] = {}
        for entry in (e for one in parsed for e in one.entries.get(title, ())):
            key = entry if title == 'Raises' else entry.split(':')[0].strip(' *')
            entries.setdefault(key, entry.rstrip())
        if title == 'Args':
            entries = {name: entries[name] for name in parameters if name in entries}
        if entries:
            parts.append(f'{title}:\n' + '\n'.join(entries.values()))
    return '\n\n'.join(parts)
