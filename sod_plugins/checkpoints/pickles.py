"""Read pickles as data: nothing that they name is imported, looked up or called.

A pickle is a program for a small stack machine, in which a file may call any function that the
process can import. This machine has no such instruction. A class or function is only a name, and
the object that it would create becomes a :class:`StandIn`. The only exceptions are the few
constructors of plain values in :mod:`~sod_plugins.checkpoints.pickled_values`, each of which
checks its arguments. No state survives a load, so any number of threads may read.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

from sod_plugins.checkpoints.pickled_values import (
    MAKERS,
    Maker,
    Named,
    NumberType,
    PickleError,
    StandIn,
    checked_key,
    fill_array,
)

# Reading a checkpoint of this package takes about ten thousand steps.
MAX_STEPS = 5_000_000


@dataclass
class Unpickler:
    """Reads successive pickles from a file.

    Args:
        file: A binary file with ``read`` and ``readline``. Its position is left after the pickle.
        makers: Constructors of further values, by the full name in the pickle.
        persistent: Creates values stored outside the pickle from their persistent ids.
    """

    file: BinaryIO
    makers: Mapping[str, Maker] = field(default_factory=dict)
    persistent: Maker | None = None

    def load(self) -> Any:
        """Read one pickle.

        Raises:
            PickleError: It is damaged or holds objects that no checkpoint contains.
        """
        machine = _Machine({**MAKERS, **self.makers}, self.persistent)
        try:
            for step, (opcode, argument, _) in enumerate(pickletools.genops(self.file)):
                if step > MAX_STEPS:
                    raise PickleError('it has too many parts')
                machine.run(opcode.name, argument)
            return machine.stack.pop()
        except PickleError:
            raise
        except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as error:
            raise PickleError('it is damaged or cut short') from error


class _Machine:
    """The stack machine: what each instruction of a pickle does."""

    def __init__(self, makers: Mapping[str, Maker], persistent: Maker | None) -> None:
        self.makers = makers
        self.persistent = persistent
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self, name: str, argument: Any) -> None:
        if name in CONSTANTS:
            self.stack.append(argument)
        elif name in NEW:
            self.stack.append(NEW[name]())
        elif name in READ:
            self.stack.append(self.memo[int(argument)])
        elif name in WRITE:
            self.memo[len(self.memo) if argument is None else int(argument)] = self.stack[-1]
        elif name in INSTRUCTIONS:
            INSTRUCTIONS[name](self, argument)
        elif name not in IGNORED:
            raise PickleError(f'it holds {name}, which no checkpoint has')

    def pop_marked(self) -> list[Any]:
        """Return the values pushed since the last mark."""
        items, self.stack = self.stack, self.marks.pop()
        return items

    def begin(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def drop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_marked()

    def drop_marked(self, _: Any) -> None:
        self.pop_marked()

    def duplicate(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def push_tuple(self, _: Any) -> None:
        items = tuple(self.pop_marked())
        self.stack.append(items)

    def push_list(self, _: Any) -> None:
        items = self.pop_marked()
        self.stack.append(items)

    def push_frozenset(self, _: Any) -> None:
        items = frozenset(map(checked_key, self.pop_marked()))
        self.stack.append(items)

    def short_tuple(self, size: int) -> None:
        items = tuple(self.stack[-size:])
        if len(items) < size:
            raise PickleError('it is damaged or cut short')
        self.stack[-size:] = [items]

    def push_dict(self, _: Any) -> None:
        items = self.pop_marked()
        self.stack.append({})
        self._set(items)

    def append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def appends(self, _: Any) -> None:
        self._extend(self.pop_marked())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif not isinstance(target, StandIn):
            raise PickleError('it is damaged or cut short')

    def add_items(self, _: Any) -> None:
        items = self.pop_marked()
        if type(self.stack[-1]) is not set:
            raise PickleError('it is damaged or cut short')
        self.stack[-1].update(map(checked_key, items))

    def set_item(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def set_items(self, _: Any) -> None:
        self._set(self.pop_marked())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, StandIn):
            return
        if not isinstance(target, dict):
            raise PickleError('it is damaged or cut short')
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[checked_key(key)] = value

    def push_name(self, argument: str) -> None:
        self.stack.append(_named(*argument.split(' ', 1)))

    def push_stacked_name(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_named(module, name))

    def make_instance(self, argument: str) -> None:
        arguments = tuple(self.pop_marked())
        self.stack.append(self._make(_named(*argument.split(' ', 1)), arguments))

    def make_object(self, _: Any) -> None:
        made, *arguments = self.pop_marked()
        self.stack.append(self._make(made, tuple(arguments)))

    def call(self, _: Any) -> None:
        arguments, made = self.stack.pop(), self.stack.pop()
        self.stack.append(self._make(made, arguments))

    def call_with_keywords(self, _: Any) -> None:
        keywords, arguments, made = (self.stack.pop() for _ in range(3))
        self.stack.append(self._make(made, arguments if not keywords else (arguments, keywords)))

    def _make(self, made: Any, arguments: Any) -> Any:
        """Create a plain value or a stand-in."""
        if type(arguments) is not tuple:
            raise PickleError('it is damaged or cut short')
        name = made.name if isinstance(made, (Named, StandIn)) else type(made).__name__
        maker = self.makers.get(name) if isinstance(made, Named) else None
        return StandIn(name, arguments) if maker is None else maker(*arguments)

    def build(self, _: Any) -> None:
        """Apply a state to the last object."""
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, NumberType):
            target.set_state(state)
        elif isinstance(target, StandIn):
            target.state = state
        elif isinstance(target, np.ndarray):
            fill_array(target, state)
        elif isinstance(target, OrderedDict) and isinstance(state, dict):
            versions = _module_versions(state.get('_metadata'))
            if versions:
                target._metadata = versions  # type: ignore[attr-defined]  # where torch reads it

    def load_persistent(self, argument: Any) -> None:
        key = self.stack.pop() if argument is None else argument
        if self.persistent is None:
            raise PickleError('it refers to what is stored elsewhere')
        self.stack.append(self.persistent(key))


def _named(module: Any, name: Any) -> Named:
    if not (isinstance(module, str) and isinstance(name, str)):
        raise PickleError('it is damaged or cut short')
    module = {'__builtin__': 'builtins', 'copy_reg': 'copyreg'}.get(module, module)
    return Named(f'{module}.{name}')


def _module_versions(metadata: Any) -> OrderedDict[str, dict[str, int]]:
    """Return the module versions of a state dict, the only metadata that it carries."""
    items = metadata.items() if isinstance(metadata, dict) else ()
    return OrderedDict(
        (name, {'version': content['version']})
        for name, content in items
        if isinstance(name, str)
        and isinstance(content, dict)
        and isinstance(content.get('version'), int)
    )


CONSTANTS = {
    *('INT', 'BININT', 'BININT1', 'BININT2', 'LONG', 'LONG1', 'LONG4', 'FLOAT', 'BINFLOAT'),
    *('STRING', 'BINSTRING', 'SHORT_BINSTRING', 'BINBYTES', 'SHORT_BINBYTES', 'BINBYTES8'),
    *('UNICODE', 'BINUNICODE', 'SHORT_BINUNICODE', 'BINUNICODE8', 'BYTEARRAY8'),
}
NEW: dict[str, Callable[[], Any]] = {
    'NONE': lambda: None,
    'NEWTRUE': lambda: True,
    'NEWFALSE': lambda: False,
    'EMPTY_LIST': list,
    'EMPTY_DICT': dict,
    'EMPTY_SET': set,
    'EMPTY_TUPLE': tuple,
}
READ = {'GET', 'BINGET', 'LONG_BINGET'}
WRITE = {'PUT', 'BINPUT', 'LONG_BINPUT', 'MEMOIZE'}
IGNORED = {'PROTO', 'FRAME', 'STOP'}
INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    'MARK': _Machine.begin,
    'POP': _Machine.drop,
    'POP_MARK': _Machine.drop_marked,
    'DUP': _Machine.duplicate,
    'TUPLE': _Machine.push_tuple,
    'TUPLE1': lambda machine, _: machine.short_tuple(1),
    'TUPLE2': lambda machine, _: machine.short_tuple(2),
    'TUPLE3': lambda machine, _: machine.short_tuple(3),
    'LIST': _Machine.push_list,
    'DICT': _Machine.push_dict,
    'FROZENSET': _Machine.push_frozenset,
    'APPEND': _Machine.append,
    'APPENDS': _Machine.appends,
    'ADDITEMS': _Machine.add_items,
    'SETITEM': _Machine.set_item,
    'SETITEMS': _Machine.set_items,
    'GLOBAL': _Machine.push_name,
    'STACK_GLOBAL': _Machine.push_stacked_name,
    'INST': _Machine.make_instance,
    'OBJ': _Machine.make_object,
    'REDUCE': _Machine.call,
    'NEWOBJ': _Machine.call,
    'NEWOBJ_EX': _Machine.call_with_keywords,
    'BUILD': _Machine.build,
    'PERSID': _Machine.load_persistent,
    'BINPERSID': _Machine.load_persistent,
}
