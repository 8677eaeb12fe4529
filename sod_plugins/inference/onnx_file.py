"""Inspect the bytes of an ONNX file before an engine opens it.

ONNX files are messages of protocol buffers; the numbers of fields are those of ``onnx.proto``.
"""

from __future__ import annotations

from collections.abc import Iterator

LATEST_OPSET = 1000
# ONNX Runtime takes 5 seconds to open 4,000 operators in a row, and four times that for twice as
# many.
MOST_OPERATORS = 5000
MOST_FIELDS = 1_000_000  # of those that have to be read for this; networks have some thousands

_FIXED = {1: 8, 5: 4}  # bytes of values of fixed width, by the type in protocol buffers
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_FUNCTIONS = 7, 8, 25
_OPSET_VERSION = 2
_GRAPH_NODES, _NODE_ATTRIBUTES, _ATTRIBUTE_GRAPHS = 1, 5, (6, 11)


class OnnxContent:
    """The bytes of an ONNX file.

    Args:
        content: The bytes; damaged ones are read as far as they go.
    """

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._fields_read = 0

    def refuse_absurd_opsets(self) -> None:
        """Refuse an absurd opset, up to which OpenVINO would count.

        Raises:
            ValueError: It has one.
        """
        for opset in self._messages(self._content, _MODEL_OPSETS):
            for key, version in self._fields(opset):
                if key == _OPSET_VERSION and not _is_number(version, LATEST_OPSET):
                    found = f'{version}' if isinstance(version, int) else 'of another type'
                    raise ValueError(f'it is of opset {found}, which does not exist')

    def refuse_absurd_graphs(self) -> None:
        """Refuse a graph whose opening would take an engine minutes.

        Raises:
            ValueError: There are more than ``MOST_OPERATORS``, those of inner graphs included, or
                functions, which may call each other without bound.
        """
        if next(self._messages(self._content, _MODEL_FUNCTIONS), None) is not None:
            raise ValueError('it holds functions, which no network of this package has')
        count = 0
        graphs = list(self._messages(self._content, _MODEL_GRAPH))
        while graphs:
            for node in self._messages(graphs.pop(), _GRAPH_NODES):
                count += 1
                if count > MOST_OPERATORS:
                    raise ValueError(f'it has more than {MOST_OPERATORS:,} operators')
                for attribute in self._messages(node, _NODE_ATTRIBUTES):
                    graphs += self._messages(attribute, *_ATTRIBUTE_GRAPHS)

    def _messages(self, message: memoryview, *numbers: int) -> Iterator[memoryview]:
        """Yield the inner messages of a message in some fields."""
        for number, value in self._fields(message):
            if number in numbers and isinstance(value, memoryview):
                yield value

    def _fields(self, message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
        """Yield the numbered fields of a message, up to a damaged one."""
        at = 0
        while at < len(message):
            self._fields_read += 1
            if self._fields_read > MOST_FIELDS:
                raise ValueError(f'it has more than {MOST_FIELDS:,} fields')
            key, at = _number(message, at)
            kind = key & 7
            if kind == 0:
                value, at = _number(message, at)
                yield key >> 3, value
            elif kind == 2:
                length, at = _number(message, at)
                yield key >> 3, message[at : at + length]
                at += length
            elif kind in _FIXED:
                at += _FIXED[kind]
            else:
                return


def _number(message: memoryview, at: int) -> tuple[int, int]:
    """Return a number of variable length, at most 64 bits, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at == len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            break
    return value, at


def _is_number(value: int | memoryview, largest: int) -> bool:
    return isinstance(value, int) and value <= largest
