"""Objects that remember their constructor arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

Class = TypeVar('Class', bound=type[Any])


def records_arguments(cls: Class) -> Class:
    """Make the objects of a class record their constructor arguments, including defaults.

    They are stored in ``arguments``, by name, as plain values: any mapping becomes a dict, a named
    tuple a tuple. An object of a subclass records the arguments of the subclass, if it has its own,
    and an object that sets ``arguments`` itself keeps those.
    """
    init = cls.__init__  # of this class, not of a subclass
    signature = inspect.signature(init)

    @functools.wraps(init)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self) is cls and 'arguments' not in vars(self):
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            named = dict(list(bound.arguments.items())[1:])
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:  # they are named individually
                    named |= named.pop(parameter.name)
            self.arguments = {name: plain(value) for name, value in named.items()}

    cls.__init__ = construct
    return cls


def plain(value: Any) -> Any:
    """Convert nested mappings and sequences of any type to dicts, lists and tuples."""
    if isinstance(value, Mapping):
        return {key: plain(content) for key, content in value.items()}
    if isinstance(value, list):
        return [plain(content) for content in value]
    if isinstance(value, tuple):
        return tuple(plain(content) for content in value)
    return value
