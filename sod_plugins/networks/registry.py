"""The registry of networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from torch import nn

from sod_plugins._common.arguments import plain, records_arguments
from sod_plugins._common.user_code import import_entry_points
from sod_plugins.networks.base import DescribedNetwork, Task

Network = TypeVar('Network', bound=type[DescribedNetwork])

_NETWORKS: dict[str, type[DescribedNetwork]] = {}


def register_network(cls: Network) -> Network:
    """Register a network class by its name, for checkpoints, the command line and adapters.

    A class decorator, which is all that a new network needs::

        @register_network
        class MyNet(SaliencyNetwork):
            def __init__(self, width: int = 16) -> None:
                super().__init__()
                ...

    Objects record their constructor arguments in ``arguments``, so these must be plain values.

    Raises:
        TypeError: It is not a network class.
        ValueError: Another class has that name.
    """
    if not (isinstance(cls, type) and issubclass(cls, DescribedNetwork)):
        raise TypeError(f'register_network takes a subclass of DescribedNetwork, got {cls!r}.')
    name, known = cls.__name__, _NETWORKS.get(cls.__name__)
    if known is not None and known.__module__ != cls.__module__:
        raise ValueError(f'A network {name!r} is registered by {known.__module__}: rename yours.')
    _NETWORKS[name] = records_arguments(cls)
    return cls


def network_names() -> list[str]:
    """Return the names of all registered networks, including those of installed packages."""
    import_entry_points()
    return sorted(_NETWORKS)


def find_network(name: str) -> type[DescribedNetwork]:
    """Return a network class by name.

    Raises:
        ValueError: The name is unknown; the message lists the known names.
    """
    if name not in _NETWORKS:
        import_entry_points()
    if name not in _NETWORKS:
        raise ValueError(
            f'a network {name[:80]!r}, which is not one of those known here '
            f'({", ".join(network_names())}): if it is your own, name its module by --import'
        )
    return _NETWORKS[name]


def build_network(config: Mapping[str, Any], task: Task) -> DescribedNetwork:
    """Build the network that a host's config names.

    Args:
        config: The name as ``type``, with or without the prefix of this package, and the arguments.
        task: The task that it must have.

    Raises:
        ValueError: The network is unknown, has another task, or does not accept the arguments.
    """
    arguments = plain(config)
    name = str(arguments.pop('type', None)).removeprefix('sod_plugins.')
    try:
        cls = find_network(name)
    except ValueError as error:
        raise ValueError(f"The config names {error}, or by OpenMMLab's custom_imports.") from error
    if cls.task != task:
        raise ValueError(f'{name} finds {cls.task}, and not {task}.')
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f'{name} cannot be built: {error}.') from error


def network_of_parts(
    parts: Mapping[str, nn.Module],
) -> tuple[type[DescribedNetwork], dict[str, Any]]:
    """Return the network class that consists of these modules, and its constructor arguments.

    Args:
        parts: The modules by their names in the network, such as ``backbone``.

    Raises:
        ValueError: They make no registered network; the message says why.
    """
    candidates = [
        cls
        for cls in _NETWORKS.values()
        if cls.parts.keys() == parts.keys()
        and all(isinstance(parts[name], kind) for name, kind in cls.parts.items())
    ]
    # Prefer a network for this backbone to one for any backbone.
    candidates.sort(key=lambda cls: -sum(type(parts[n]) is kind for n, kind in cls.parts.items()))
    reasons = []
    for cls in candidates:
        try:
            return cls, cls.arguments_of_parts(parts)
        except ValueError as error:
            reasons.append(error)
    if reasons:
        raise reasons[0]
    names = ', '.join(type(part).__name__ for part in parts.values())
    raise ValueError(f'{names} together make no network that is registered')
