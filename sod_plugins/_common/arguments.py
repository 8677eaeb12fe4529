"""Objects that remember what they were constructed with."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

Class = TypeVar('Class', bound=type[Any])


def records_arguments(cls: Class) -> Class:
    """Let the objects of a class keep their constructor arguments, defaults included.

    They are in ``arguments``, by name, as plain values: of another mapping a dict is kept, and of
    a named tuple a tuple. An object of a subclass keeps the subclass's own arguments, if any, and
    one that sets ``arguments`` itself keeps those.
    """
    init = cls.__init__  # of this very class, not of a subclass
    signature = inspect.signature(init)

    @functools.wraps(init)
    def construct(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **kwargs)
        if type(self) is cls and 'arguments' not in vars(self):
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            named = dict(list(bound.arguments.items())[1:])
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:  # they have names of their own
                    named |= named.pop(parameter.name)
            self.arguments = {name: plain(value) for name, value in named.items()}

    cls.__init__ = construct
    return cls


def plain(value: Any) -> Any:
    """Return a value as dicts, lists and tuples, whatever kinds of them it is made of."""
    if isinstance(value, Mapping):
        return {key: plain(content) for key, content in value.items()}
    if isinstance(value, list):
        return [plain(content) for content in value]
    if isinstance(value, tuple):
        return tuple(plain(content) for content in value)
    return value
