"""Worker processes that end with their parent, and whose death is reported clearly."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait

from sod_plugins._common.limits import MOST_WORKERS, require_number
from sod_plugins._common.user_code import import_all_user_code, imported_user_code


@contextlib.contextmanager
def process_pool(workers: int) -> Iterator[Executor | None]:
    """Provide a pool of processes, or None for 0 workers.

    The workers import the user code that this process has imported. They end at once when this
    process does, even if it is killed. Ctrl-C is handled by this process.

    Args:
        workers: Number of worker processes.

    Raises:
        ChildProcessError: A worker was killed.
        ValueError: ``workers`` is negative or absurd.
    """
    if not require_number('workers', workers, 0, MOST_WORKERS):
        yield None
        return
    # Spawned workers inherit no threads and no locks of this process.
    context = multiprocessing.get_context('spawn')
    pool = ProcessPoolExecutor(workers, context, _begin, (imported_user_code(),))
    try:
        yield pool
    except BrokenProcessPool as error:
        raise ChildProcessError(
            'one of the worker processes was killed, by the system if memory ran out. Run again '
            'with fewer workers.'
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(user_code: tuple[str, ...]) -> None:
    """Set up a worker: end with the parent, and import its user code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()
    import_all_user_code(user_code)


def _exit_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
