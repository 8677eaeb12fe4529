"""Read pickles as data: nothing that they name is imported, looked up or called.

A pickle is a program for a small stack machine, in which a file may call any function that the
process can import. This machine has no such instruction. A class or function is only a name, and
the object that it would create becomes a :class:`StandIn`. The only exceptions are the few
constructors of plain values below, each of which checks its arguments. No state survives a load,
so any number of threads may read.
"""

from __future__ import annotations

import pickletools
import re
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np

# Reading a checkpoint of this package takes about ten thousand steps.
MAX_STEPS = 5_000_000
NUMBER = re.compile(r'[?]|b1|[iu][1248]|f[248]|c(8|16)')
FLAT_KEYS = (str, int, float, bool, bytes, type(None))


class PickleError(ValueError):
    """A pickle that is damaged or holds objects that no checkpoint contains."""


@dataclass(frozen=True)
class Named:
    """A class or function that a pickle names.

    Attributes:
        name: Its full name.
    """

    name: str


@dataclass(eq=False, repr=False)
class StandIn:
    """Placeholder for an object that only code could create.

    Attributes:
        name: The full name of its class, or of the function that would create it.
        arguments: The arguments that the class or function would have been called with.
        state: The state that the object would have been given.
    """

    name: str
    arguments: Any = ()
    state: Any = None


Maker = Callable[..., Any]


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
        items = frozenset(map(_key, self.pop_marked()))
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
        self.stack[-1].update(map(_key, items))

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
            target[_key(key)] = value

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
        if isinstance(target, _NumberType):
            target.set_state(state)
        elif isinstance(target, StandIn):
            target.state = state
        elif isinstance(target, np.ndarray):
            _fill_array(target, state)
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


def _key(value: Any) -> Any:
    """Check that a key hashes quickly: nested tuples may take arbitrarily long."""
    parts = value if type(value) is tuple and len(value) <= 16 else (value,)
    for part in parts:
        if not isinstance(part, (*FLAT_KEYS, Named, StandIn)):
            raise PickleError(f'it has a {type(part).__name__} for a key')
        if isinstance(part, int) and part.bit_length() > 64:
            raise PickleError('it has a huge number for a key')
    return value


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


class _NumberType(StandIn):
    """A NumPy dtype, of plain numbers or of something that no checkpoint needs."""

    order = '<'

    def set_state(self, state: Any) -> None:
        """Set the byte order."""
        if type(state) is tuple and len(state) > 1 and state[1] in ('<', '>', '=', '|'):
            self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        code = self.arguments[0] if self.arguments else None
        code = code.decode('latin-1') if isinstance(code, bytes) else code
        if not isinstance(code, str) or not NUMBER.fullmatch(code.lstrip('<>=|')):
            raise PickleError('it holds an array of something other than numbers')
        return np.dtype(self.order + code.lstrip('<>=|'))


def _number_type(*arguments: Any) -> _NumberType:
    return _NumberType('numpy.dtype', arguments)


def _plain_type(value: Any) -> np.dtype[Any]:
    if not isinstance(value, _NumberType):
        raise PickleError('it holds an array of something other than numbers')
    return value.resolve()


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, str):  # Python 2 wrote bytes as text
        return value.encode('latin-1')
    if not isinstance(value, (bytes, bytearray)):
        raise PickleError('it holds an array without content')
    return bytes(value)


def _empty_array(*_: Any) -> np.ndarray[Any, Any]:
    return np.empty(0, np.int8)


def _fill_array(array: np.ndarray[Any, Any], state: Any) -> None:
    """Fill an array with numbers in place, so that existing references see them."""
    if type(state) is not tuple or len(state) not in (4, 5):
        raise PickleError('it holds a damaged array')
    shape, kind, fortran, content = state[-4:]
    dtype, content = _plain_type(kind), _bytes_of(content)
    _check_shape(shape, dtype, content)
    state = (1, shape, dtype, bool(fortran), content)
    array.__setstate__(state)


def _check_shape(shape: Any, dtype: np.dtype[Any], content: bytes) -> None:
    size = dtype.itemsize
    if type(shape) is not tuple or len(shape) > 32:
        raise PickleError('it holds a damaged array')
    for length in shape:
        if type(length) is not int or not 0 <= length <= len(content):
            raise PickleError('it holds a damaged array')
        size *= length
    if size != len(content):
        raise PickleError('it holds a damaged array')


def _array_of_buffer(content: Any, kind: Any, shape: Any, order: Any = 'C') -> np.ndarray[Any, Any]:
    dtype, content = _plain_type(kind), _bytes_of(content)
    _check_shape(shape, dtype, content)
    values = np.frombuffer(content, dtype).copy()
    return values.reshape(shape, order='F' if order == 'F' else 'C')


def _number(kind: Any, content: Any = None) -> Any:
    dtype, content = _plain_type(kind), _bytes_of(content)
    if len(content) != dtype.itemsize:
        raise PickleError('it holds a damaged number')
    return np.frombuffer(content, dtype)[0]


def _ordered(items: Any = ()) -> OrderedDict[Any, Any]:
    return OrderedDict(_pairs(items))


def _pairs(items: Any) -> list[tuple[Any, Any]]:
    """Check the content of a mapping, given as a mapping or as pairs."""
    items = list(items.items()) if isinstance(items, dict) else items
    if not isinstance(items, (list, tuple)) or any(len(item) != 2 for item in items):
        raise PickleError('it is damaged or cut short')
    return [(_key(key), value) for key, value in items]


def _counter(items: Any = ()) -> Counter[Any]:
    pairs = _pairs(items)
    if not all(isinstance(count, int) for _, count in pairs):
        raise PickleError('it is damaged or cut short')
    return Counter(dict(pairs))


def _default_dict(factory: Any = None, items: Any = ()) -> dict[Any, Any]:
    return dict(_pairs(items))


def _set(items: Any = ()) -> set[Any]:
    if not isinstance(items, (list, tuple, set, frozenset)):
        raise PickleError('it is damaged or cut short')
    return set(map(_key, items))


def _encode(text: Any, encoding: Any = 'latin1') -> bytes:
    """Return the bytes that older protocols encode as text."""
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1', 'ascii', 'utf-8'):
        raise PickleError('it is damaged or cut short')
    return text.encode(encoding)


def _complex(real: Any, imaginary: Any) -> complex:
    return complex(float(real), float(imaginary))


def _byte_array(content: Any = b'', encoding: Any = 'latin-1') -> bytearray:
    return bytearray(_encode(content, encoding) if isinstance(content, str) else _bytes_of(content))


def _reconstructed(made: Any, *_: Any) -> StandIn:
    """Return a stand-in for an object that the oldest protocols create without arguments."""
    return StandIn(made.name if isinstance(made, Named) else type(made).__name__)


MAKERS: dict[str, Maker] = {
    'collections.OrderedDict': _ordered,
    'collections.Counter': _counter,
    'collections.defaultdict': _default_dict,
    'builtins.set': _set,
    'builtins.frozenset': lambda items=(): frozenset(_set(items)),
    'builtins.complex': _complex,
    'builtins.bytearray': _byte_array,
    '_codecs.encode': _encode,
    'copyreg._reconstructor': _reconstructed,
    'numpy.dtype': _number_type,
    **{
        f'numpy.{core}.{name}': maker
        for core in ('core', '_core')
        for name, maker in (
            ('multiarray._reconstruct', _empty_array),
            ('multiarray.scalar', _number),
            ('numeric._frombuffer', _array_of_buffer),
        )
    },
}

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
