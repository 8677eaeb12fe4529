"""Read the fields of COCO JSON as tools write them: numbers as text, ids of any kind, flags.

Each function returns the plain value, or raises a ValueError that says what is wrong with the
field. The caller puts the names of the file and the entry before it.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, TypeVar

MAX_PIXELS = 2**30  # per image; a larger size is a mistake in the file

_LONGEST_NAME = 4096  # the longest path that Linux opens
_BEYOND = 1.0  # pixels by which a rounded box may extend beyond its image
T = TypeVar('T')
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200


def read_id(value: Any) -> int | str:
    """Return an id in a single form, however the tool wrote it.

    Raises:
        ValueError: The value is neither a whole number nor text.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        digits = value.removeprefix('-')
        is_number = digits.isdecimal() and digits.isascii() and len(digits) < 19
        return int(value) if is_number and str(int(value)) == value else value
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f'{shown(value)} is neither a whole number nor text')
    return value


def read_field(entry: Mapping[str, Any], key: str, read: Callable[[Any], T]) -> T:
    """Read the value in a field of an entry.

    Raises:
        ValueError: The field is missing or invalid.
    """
    if entry.get(key) is None:
        raise ValueError(f'it lacks {key}')
    try:
        return read(entry[key])
    except ValueError as error:
        raise ValueError(f'its {key} {error}') from None


def read_number(value: Any) -> float:
    """Return a finite number, which may be written as text.

    Raises:
        ValueError: The value is not a finite number.
    """
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return value if isinstance(value, int | float) else number
    raise ValueError(f'{shown(value)} is not a finite number')


def read_box(value: Any) -> list[float]:
    """Return [left, top, width, height], four finite numbers.

    Raises:
        ValueError: The value is not four finite numbers.
    """
    try:
        if isinstance(value, list) and len(value) == 4:
            return [read_number(number) for number in value]
    except ValueError:
        pass
    raise ValueError(f'its box {shown(value)} is not four numbers')


def shown(value: Any) -> str:
    """Return a value as text for a message: printable and abbreviated."""
    return _SHORT.repr(value)


def read_name(image: Mapping[str, Any]) -> str:
    """Return the name of an image's file, relative to the image folder; a number counts as a name.

    Raises:
        ValueError: The name is missing or invalid.
    """
    name = image.get('file_name')
    if name is None:
        raise ValueError('it lacks file_name')
    if isinstance(name, bool) or not isinstance(name, int | str):
        raise ValueError(f'its file_name {shown(name)} is not text')
    name = str(name)
    if not name or '\0' in name or len(name) > _LONGEST_NAME:
        raise ValueError(f'its file_name {shown(name)} cannot be the name of a file')
    return name


def read_last_name(image: Mapping[str, Any]) -> str:
    """Return the name of an image's file without its folders, with the separators of any system.

    Raises:
        ValueError: The name is missing or invalid.
    """
    return PurePosixPath(read_name(image).replace('\\', '/')).name


def read_sides(image: Mapping[str, Any]) -> tuple[int, int]:
    """Return (height, width) of an image.

    Raises:
        ValueError: A side is not a number of pixels, or the image has more than 2**30 pixels.
    """
    sides = []
    for key in ('height', 'width'):
        try:
            side = read_number(image.get(key))
        except ValueError as error:
            raise ValueError(f'its {key} {error}') from None
        if side != int(side) or side < 1:
            raise ValueError(f'its {key} {shown(image[key])} is not a number of pixels')
        sides.append(int(side))
    height, width = sides
    if height * width > MAX_PIXELS:
        raise ValueError(f'its size {height}x{width} (height x width) exceeds {MAX_PIXELS} pixels')
    return height, width


def read_score(entry: Mapping[str, Any]) -> float:
    """Return the score of an entry.

    Raises:
        ValueError: The score is missing or not a finite number.
    """
    return read_field(entry, 'score', read_number)


def read_flag(entry: Mapping[str, Any], key: str) -> bool:
    """Return whether a flag is 1; a missing flag is 0.

    Raises:
        ValueError: The flag is neither 0 nor 1.
    """
    value = entry.get(key)
    if value is None:
        return False
    if isinstance(value, str):
        value = {'0': 0, '1': 1, 'false': 0, 'true': 1}.get(value.lower(), value)
    if not isinstance(value, bool | int | float) or value not in (0, 1):
        raise ValueError(f'its {key} {shown(value)} is neither 0 nor 1')
    return bool(value)


def check_box(box: list[float], height: int, width: int) -> None:
    """Reject a box that is empty or extends beyond its image by more than a pixel.

    Raises:
        ValueError: The box is rejected.
    """
    left, top, box_width, box_height = box
    if box_width <= 0 or box_height <= 0:
        raise ValueError(f'its box {shown(box)} is empty')
    if (
        min(left, top) < -_BEYOND
        or left + box_width > width + _BEYOND
        or top + box_height > height + _BEYOND
    ):
        raise ValueError(
            f'its box {shown(box)} leaves the image of {width}x{height} (width x height)'
        )


def plain(text: Any) -> str:
    """Return a name or number as text for a message: printable, abbreviated, unquoted."""
    quoted = shown(str(text))
    return quoted[1:-1] if len(quoted) > 1 else quoted
