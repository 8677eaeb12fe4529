"""Process items in three overlapping stages: decode, compute in batches, encode.

Decoding and encoding run in threads (Pillow, zlib and the engines release the interpreter's lock),
and computing runs in the caller's thread. Results come in the order of the items. The number of
items in memory is at most the number of threads plus twice the batch size, and their weights, such
as pixels, can be limited too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from typing import Any, Generic, TypeVar

Item = TypeVar('Item')
Decoded = TypeVar('Decoded')
Computed = TypeVar('Computed')
Result = TypeVar('Result')


def run_pipeline(
    items: Iterable[Item],
    decode: Callable[[Item], Decoded],
    compute: Callable[[Sequence[Decoded]], Sequence[Computed]],
    encode: Callable[[Item, Decoded, Computed], Result],
    *,
    workers: int = 2,
    batch_size: int = 1,
    weigh: Callable[[Item], int] | None = None,
    capacity: int = 0,
) -> Iterator[tuple[Item, Result | ValueError]]:
    """Yield each item and its result, in order.

    Args:
        items: The items; read no further ahead than needed.
        decode: The first stage. An item for which it raises ``ValueError`` skips the other stages,
            and the error is its result.
        compute: The second stage, for up to ``batch_size`` items at once.
        encode: The third stage.
        workers: Number of threads for the first and the last stage; with 0, nothing overlaps.
        batch_size: Number of items computed at once.
        weigh: Returns the weight of an item, quickly and without an error; None for no limit.
        capacity: The limit of the weights of all items in memory. An item that exceeds it waits
            until it would fit, one heavier than the limit until no other is left.

    Raises:
        BaseException: Any other error of a stage, after the running stages have ended.
    """
    pool: Executor = ThreadPoolExecutor(workers) if workers else _Here()
    source = _Source(items, weigh, capacity)
    decoding: deque[tuple[Item, Future[Decoded | ValueError]]] = deque()
    encoding: deque[tuple[Item, Future[Result | ValueError]]] = deque()
    try:
        while True:
            for item in source.take(max(1, workers) + batch_size - 1 - len(decoding)):
                decoding.append((item, pool.submit(_caught, decode, item)))
            if not decoding:
                break
            batch = [decoding.popleft() for _ in range(min(batch_size, len(decoding)))]
            decoded = [(item, future.result()) for item, future in batch]
            del batch
            good = [value for _, value in decoded if not isinstance(value, ValueError)]
            computed = iter(compute(good)) if good else iter(())
            for item, value in decoded:
                if isinstance(value, ValueError):
                    encoding.append((item, _done(value)))
                else:
                    encoding.append((item, pool.submit(encode, item, value, next(computed))))
            del decoded, good, computed, value
            waits = not decoding  # at the end, or for an item that is too heavy yet
            while encoding and (waits or len(encoding) >= workers or encoding[0][1].done()):
                item, future = encoding.popleft()
                result = future.result()
                source.leave()
                yield item, result
                del future, result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


class _Source(Generic[Item]):
    """Yields items while their weights fit, and keeps the weights of those in memory, in order."""

    def __init__(
        self, items: Iterable[Item], weigh: Callable[[Item], int] | None, capacity: int
    ) -> None:
        self._items = iter(items)
        self._weigh = weigh or (lambda _: 0)
        self._capacity = capacity
        self._inside: deque[int] = deque()
        self._held: list[tuple[Item, int]] = []  # read, but too heavy yet: one at most

    def take(self, count: int) -> Iterator[Item]:
        """Yield up to a number of items, fewer if the next one does not fit."""
        for _ in range(count):
            if not self._held:
                self._held = [(item, self._weigh(item)) for item in islice(self._items, 1)]
            if not self._held:
                return
            item, weight = self._held[0]
            if self._inside and sum(self._inside) + weight > self._capacity:
                return
            self._held.clear()
            self._inside.append(weight)
            yield item

    def leave(self) -> None:
        """Release the first item."""
        self._inside.popleft()


def _caught(decode: Callable[[Item], Decoded], item: Item) -> Decoded | ValueError:
    try:
        return decode(item)
    except ValueError as error:
        return error


def _done(value: ValueError) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


class _Here(Executor):
    """Executes calls immediately, in the caller's thread."""

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(function(*args, **kwargs))
        return future
