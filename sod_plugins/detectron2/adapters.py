"""What every adapter around a plain module of this package shares."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from detectron2.config import configurable
from torch import nn

from sod_plugins._common.declarations import description, passes_on

A = TypeVar('A', bound='type[NetAdapter]')
C = TypeVar('C', bound=type)


class NetAdapter:
    """Keeps a plain module in ``self.net``.

    Attributes:
        plain: Its class, which :func:`adapts` sets.
        net: The module.
    """

    plain: ClassVar[type[nn.Module]]
    net: Any


def adapts(plain_class: type[nn.Module], without: Collection[str] = ()) -> Callable[[A], A]:
    """Make a class the adapter of a plain module, with its arguments and docstring.

    Its constructor then takes these arguments, or a config, which its ``from_config`` translates.

    Args:
        plain_class: The class of the module.
        without: Its arguments that a config cannot set, because the adapter does.
    """

    def decorate(cls: A) -> A:
        bases = [b for b in cls.__mro__[1:] if issubclass(b, NetAdapter) and '__init__' in vars(b)]
        cls.plain = plain_class
        cls.__doc__ = f'{inspect.cleandoc(cls.__doc__ or "")}\n\n{description(plain_class.__doc__)}'
        return configured(*bases, plain_class, without=without)(cls)

    return decorate


def configured(*targets: Callable[..., Any], without: Collection[str] = ()) -> Callable[[C], C]:
    """Let a class be built from a config, which its ``from_config`` translates.

    Args:
        targets: See :func:`~sod_plugins._common.declarations.passes_on`.
        without: See :func:`~sod_plugins._common.declarations.passes_on`.
    """

    def decorate(cls: C) -> C:
        cls = passes_on(*targets, without=without)(cls)
        cls.__init__ = configurable(cls.__init__)  # type: ignore[misc]
        return cls

    return decorate


def arguments(node: Any) -> dict[str, Any]:
    """Return the arguments in a node of a config, of either kind, as plain values."""
    return {str(name): _plain(value) for name, value in node.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return arguments(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_plain(content) for content in value)
    return value
