"""Let one network serve several threads and forked processes."""

from __future__ import annotations

import ctypes
import functools
import os
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import torch

Thing = TypeVar('Thing')


class Lender(Generic[Thing]):
    """Lends objects that serve one thread at a time, and creates another if none is free.

    It takes no lock, because a forked process could find it held for ever. Single operations of a
    deque are atomic.

    Args:
        keep: Number of unused objects to keep; beyond it, the oldest is dropped.
    """

    def __init__(self, keep: int = 8) -> None:
        self._free: deque[Thing] = deque(maxlen=keep)

    @contextmanager
    def lend(
        self, make: Callable[[], Thing], fits: Callable[[Thing], bool] = lambda _: True
    ) -> Iterator[Thing]:
        """Lend an object to the calling thread until the block ends.

        Args:
            make: Creates one.
            fits: Returns whether a free one is suitable.
        """
        thing = self._take(fits) or make()
        try:
            yield thing
        finally:
            self._free.append(thing)

    def _take(self, fits: Callable[[Thing], bool]) -> Thing | None:
        for thing in tuple(self._free):
            if fits(thing):
                try:
                    self._free.remove(thing)
                except ValueError:  # another thread was faster
                    continue
                return thing
        return None


@functools.cache
def survive_forks() -> None:
    """Let torch compute with one thread in processes that are forked from now on.

    A forked process lacks the threads that torch's operators wait for, and would hang.
    """
    if hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=functools.partial(torch.set_num_threads, 1))


def keep_in_forks(thing: object) -> None:
    """Keep an object alive in forked processes, even when they end."""
    if not _KEPT and hasattr(os, 'register_at_fork'):
        os.register_at_fork(after_in_child=_keep_all)
    _KEPT.add(thing)


_KEPT: weakref.WeakSet[object] = weakref.WeakSet()


def _keep_all() -> None:
    for thing in _KEPT:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
