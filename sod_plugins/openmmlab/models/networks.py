"""Build complete networks from a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sod_plugins._common.arguments import plain
from sod_plugins.networks.base import DescribedNetwork, Task
from sod_plugins.networks.registry import find_network


def build_network(config: Mapping[str, Any], task: Task) -> DescribedNetwork:
    """Build a registered network.

    Args:
        config: The name as ``type``, with or without the prefix of this package, and the arguments.
        task: The task that it must have.

    Raises:
        ValueError: The network is unknown, has another task, or does not accept the arguments.
    """
    arguments = plain(dict(config))
    name = str(arguments.pop('type', None)).removeprefix('sod_plugins.')
    try:
        cls = find_network(name)
    except ValueError as error:
        raise ValueError(f'The config names {error}, or by custom_imports.') from error
    if cls.task != task:
        raise ValueError(f'{name} finds {cls.task}, and not {task}.')
    try:
        return cls(**arguments)
    except TypeError as error:
        raise ValueError(f'{name} cannot be built: {error}.') from error
