"""Arguments that must be numbers within limits, so that absurd ones are an error and not a hang."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

LONGEST_SIDE = 1 << 14  # pixels
MOST_PIXELS = 1 << 24  # of an input of a network, whose maps of 64 channels then take 4.3 GB
MOST_WORKERS = 1000
MOST_IN_BATCH = 1 << 16


def require_number(
    name: str,
    value: int,
    least: int,
    most: int,
    what: str = '',
    error: type[Exception] = ValueError,
) -> int:
    """Return a number if it lies within limits.

    Args:
        name: The name of the argument, with which the message begins.
        value: The given number.
        least: The smallest allowed number.
        most: The largest one.
        what: What is counted, in the plural.
        error: The exception to raise.

    Raises:
        ValueError: (or ``error``) It is smaller or larger.
    """
    if least <= value <= most:
        return value
    raise error(f'{name} is {value}. Give {least:,} to {most:,}{what and f" {what}"}.')


def require_size(
    size: tuple[int, int],
    least: int = 1,
    most: int = MOST_PIXELS,
    error: type[Exception] = ValueError,
) -> tuple[int, int]:
    """Return the size of an image if it lies within limits.

    Args:
        size: Height and width in pixels.
        least: The smallest allowed height and width.
        most: The largest allowed number of pixels.
        error: The exception to raise.

    Raises:
        ValueError: (or ``error``) It is smaller or larger.
    """
    fits = len(size) == 2 and all(least <= side <= LONGEST_SIDE for side in size)
    if fits and size[0] * size[1] <= most:
        return size
    raise error(
        f'size is {tuple(size)}. Give a height and a width of {least:,} to {LONGEST_SIDE:,} '
        f'pixels, and at most {most:,} pixels in all.'
    )


@contextlib.contextmanager
def fitting_memory(what: str) -> Iterator[None]:
    """Raise an error that names what does not fit into memory; torch names the bytes only.

    Args:
        what: The subject of the message.

    Raises:
        ValueError: torch could not allocate memory within the block.
    """
    try:
        yield
    except RuntimeError as error:
        if 'allocate memory' not in str(error) and 'out of memory' not in str(error):
            raise
        raise ValueError(f'{what} does not fit into memory. Choose a smaller size.') from error
