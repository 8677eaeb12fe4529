"""Packages that import their names on first use.

A program that needs one name waits neither for the others nor for torch. The names are read from
the imports under ``TYPE_CHECKING``, which type checkers see.
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
        package: ``__name__`` of the package, whose ``__init__`` has one ``if TYPE_CHECKING:`` that
            holds only ``from module import name``.
        former: Maps names of earlier versions to those that replaced them.
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
    """Read from the source of a package which module each name comes from."""
    homes = {}
    for node in ast.parse(path.read_text('utf-8')).body:
        if isinstance(node, ast.If):
            for statement in node.body:
                if isinstance(statement, ast.ImportFrom):
                    homes.update({alias.name: str(statement.module) for alias in statement.names})
    return homes
