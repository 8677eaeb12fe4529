"""The plain values that a pickle may make by calls: arrays, numbers, containers and text.

Each constructor checks its arguments. Whatever else a pickle would call leaves a
:class:`StandIn`.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

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


def checked_key(value: Any) -> Any:
    """Check that a key hashes quickly: nested tuples may take arbitrarily long."""
    parts = value if type(value) is tuple and len(value) <= 16 else (value,)
    for part in parts:
        if not isinstance(part, (*FLAT_KEYS, Named, StandIn)):
            raise PickleError(f'it has a {type(part).__name__} for a key')
        if isinstance(part, int) and part.bit_length() > 64:
            raise PickleError('it has a huge number for a key')
    return value


class NumberType(StandIn):
    """A NumPy dtype, of plain numbers or of something that no checkpoint needs."""

    order = '<'

    def set_state(self, state: Any) -> None:
        """Set the byte order."""
        if type(state) is tuple and len(state) > 1 and state[1] in ('<', '>', '=', '|'):
            self.order = state[1]

    def resolve(self) -> np.dtype[Any]:
        """Return the dtype, which must be one of plain numbers."""
        code = self.arguments[0] if self.arguments else None
        code = code.decode('latin-1') if isinstance(code, bytes) else code
        if not isinstance(code, str) or not NUMBER.fullmatch(code.lstrip('<>=|')):
            raise PickleError('it holds an array of something other than numbers')
        return np.dtype(self.order + code.lstrip('<>=|'))


def _number_type(*arguments: Any) -> NumberType:
    return NumberType('numpy.dtype', arguments)


def _plain_type(value: Any) -> np.dtype[Any]:
    if not isinstance(value, NumberType):
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


def fill_array(array: np.ndarray[Any, Any], state: Any) -> None:
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
    return [(checked_key(key), value) for key, value in items]


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
    return set(map(checked_key, items))


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
