"""The input format of a network: standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

Format = TypeVar('Format', bound='InputFormat')


@dataclass(frozen=True)
class InputFormat:
    """Fields of :class:`sod_plugins.networks.Preprocessing`, which documents them."""

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    antialias: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_dict(cls: type[Format], values: Mapping[str, Any]) -> Format:
        """Build from the values of :meth:`to_dict`."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list | tuple) else value
            for name, value in values.items()
        }
        return cls(**plain)
