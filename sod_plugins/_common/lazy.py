"""Packages whose names are imported when they are first asked for.

So a program that needs one of them does not wait for all others, nor for torch. Type checkers see
the imports under ``TYPE_CHECKING``, which name the same things: a test compares the two.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def lazy_names(package: str, former: Mapping[str, str] | None = None) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package, for the names under its ``TYPE_CHECKING``.

    Args:
        package: ``__name__`` of the package, whose ``__init__`` has one ``if TYPE_CHECKING:`` with
            ``from module import name`` alone.
        former: Names of earlier versions, and the names that replaced them.
    """
    homes: dict[str, str] = {}

    def find(name: str) -> Any:
        if not homes:
            homes.update(_read_homes(Path(str(sys.modules[package].__file__))))
        current = (former or {}).get(name, name)
        if current not in homes:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        value = getattr(importlib.import_module(homes[current]), current)
        setattr(sys.modules[package], name, value)
        return value

    return find


def _read_homes(path: Path) -> dict[str, str]:
    """Read which module each name comes from, out of a package's source."""
    homes = {}
    for node in ast.parse(path.read_text('utf-8')).body:
        if isinstance(node, ast.If):
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom):
                    homes.update({alias.name: str(statement.module) for alias in statement.names})
    return homes
