"""Constructor arguments stay as others have written them into their configs and scripts.

``signatures_45c5851.json`` holds every parameter and default of the registered names and of the
plain networks at commit 45c5851, as source text; null stands for a parameter without a default.
New parameters may join, and a parameter may get a default.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sod_plugins import networks

STORED: dict[str, dict[str, dict[str, str | None]]] = json.loads(
    Path(__file__).with_name('signatures_45c5851.json').read_text('utf-8')
)
NAMES = [(group, name) for group, names in STORED.items() for name in names]


def class_of(group: str, name: str) -> type:
    """Return the class of a name; the test is skipped where its host is not installed."""
    if group == 'networks':
        return getattr(networks, name)
    registry = pytest.importorskip('sod_plugins.registry', reason='needs an extra with mmengine')
    found = getattr(registry, group).get(name)
    if not inspect.isclass(found):
        pytest.skip(f'the host of {name} is not installed')
    return found


def source_of(default: Any) -> str:
    """Write a default as the stored file does."""
    return f'{default.__module__}.{default.__qualname__}' if callable(default) else repr(default)


def same(stored: str, default: Any) -> bool:
    """Whether a default equals the stored one; 4 equals 4.0."""
    try:
        return bool(ast.literal_eval(stored) == default)
    except ValueError:
        return stored == source_of(default)


def documented(cls: type) -> set[str]:
    """Return the names of all entries of a docstring's section of arguments."""
    section = re.search(r'^Args:\n((?: .*\n|\n)*)', inspect.getdoc(cls) + '\n', re.MULTILINE)
    return set(re.findall(r'^    \**(\w+):', section[1], re.MULTILINE)) if section else set()


def declared(cls: type) -> dict[str, inspect.Parameter]:
    """Return the constructor's parameters, none where it is a host's."""
    owner = next(base for base in cls.__mro__ if '__init__' in vars(base))
    ours = owner.__module__.startswith('sod_plugins.')
    return dict(inspect.signature(cls).parameters) if ours else {}


def lost(stored: dict[str, str | None], cls: type) -> Iterator[str]:
    """Name each stored parameter that is gone or has another default."""
    now = declared(cls)
    for name, default in stored.items():
        if name not in now:
            yield f'{name} is gone'
        elif default is not None and not same(default, now[name].default):
            yield f'{name}={default} is now {now[name]}'


@pytest.mark.parametrize(('group', 'name'), NAMES, ids=lambda value: value)
def test_every_parameter_and_default_of_45c5851_is_there(group: str, name: str) -> None:
    assert list(lost(STORED[group][name], class_of(group, name))) == []


@pytest.mark.parametrize(('group', 'name'), NAMES, ids=lambda value: value)
def test_every_parameter_is_documented(group: str, name: str) -> None:
    cls = class_of(group, name)
    assert set(declared(cls)) == (documented(cls) & set(declared(cls)))


def test_what_is_lost_is_found() -> None:
    class Changed:
        def __init__(self, width: float = 2, ratio: int = 4, new: bool = False) -> None:
            """Keep nothing."""

    Changed.__module__ = 'sod_plugins.changed'
    stored = {'width': '1.0', 'ratio': '4.0', 'depth': None}
    assert list(lost(stored, Changed)) == ["width=1.0 is now width: 'float' = 2", 'depth is gone']
