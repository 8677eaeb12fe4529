"""The base class of adapters around plain networks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from typing import Any, ClassVar, TypeVar

from mmengine.model import BaseModule
from torch import Tensor, nn

from sod_plugins._common.declarations import description, passes_on

A = TypeVar('A', bound='type[NetAdapter]')


class NetAdapter(BaseModule):
    """A module that keeps a plain network in ``self.net`` and also loads that network's weights.

    Its state dict has the network's keys with the prefix ``net.``. Loading also accepts them
    without it, so a plain checkpoint works for ``load_from`` and for
    ``init_cfg=dict(type='Pretrained', ...)``.

    Attributes:
        plain: The network's class, set by :func:`adapts`.
        net: The network.
    """

    plain: ClassVar[type[nn.Module]]
    net: nn.Module

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *args: Any) -> None:
        parts = {name for name, _ in self.net.named_children()}
        for key in list(state_dict):
            if key.startswith(prefix) and key[len(prefix) :].split('.')[0] in parts:
                state_dict[f'{prefix}net.{key[len(prefix) :]}'] = state_dict.pop(key)
        super()._load_from_state_dict(state_dict, prefix, *args)


class ModuleAdapter(NetAdapter):
    """A plain network as an mmengine module, built from the network's own arguments.

    Args:
        init_cfg: Initialisation; by default the plain network's own.
    """

    def __init__(
        self,
        *args: Any,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(init_cfg)
        self.net = self.plain(*args, **arguments)

    def forward(self, *inputs: Any) -> Any:
        """Run the plain network; see its ``forward``."""
        return self.net(*inputs)


def adapts(plain: type[nn.Module], without: Collection[str] = ()) -> Callable[[A], A]:
    """Make a class the adapter of a plain network, with its arguments and docstring.

    The constructors of the class and of its bases declare only the host's arguments, and pass the
    others on to ``self.plain``.

    Args:
        plain: The network's class.
        without: Its arguments that a config cannot set, because the adapter does.

    Returns:
        A class decorator.
    """

    def decorate(cls: A) -> A:
        bases = [base for base in cls.__mro__[1:] if issubclass(base, NetAdapter)]
        targets = [base for base in bases if '__init__' in vars(base)]
        cls.plain = plain
        cls.__doc__ = f'{inspect.cleandoc(cls.__doc__ or "")}\n\n{description(plain.__doc__)}'
        return passes_on(*targets, plain, without=without)(cls)

    return decorate
