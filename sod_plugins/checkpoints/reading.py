"""Reading a checkpoint file without executing anything in it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch


class _Ignored:
    """Stands in for objects of a training log, which the weights do not need."""

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: Any) -> None: ...


# mmengine's checkpoints carry their logs; each name is unpickled as an inert object.
_LOG_GLOBALS: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
    (_Ignored, name)
    for name in (
        'mmengine.logging.history_buffer.HistoryBuffer',
        'builtins.getattr',
        'numpy.core.multiarray._reconstruct',
        'numpy._core.multiarray._reconstruct',
        'numpy._core.numeric._frombuffer',
        'numpy.core.multiarray.scalar',
        'numpy._core.multiarray.scalar',
        'numpy.ndarray',
        'numpy.dtype',
    )
]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU; nothing in it is executed, and a training log is left out.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no checkpoint.
    """
    if not path.is_file():
        raise FileNotFoundError(f'There is no checkpoint {path}.')
    try:
        with _inert_log():
            checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ValueError(
            f'{path} cannot be read as a checkpoint: it is damaged, or holds code.'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'{path} holds a {type(checkpoint).__name__}, not a checkpoint.')
    return checkpoint


@contextmanager
def _inert_log() -> Iterator[None]:
    """Trust the inert names alone: a training that reads weights trusts the real ones meanwhile.

    Beside each other, the real log would be filled with inert objects.
    """
    trusted = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        with torch.serialization.safe_globals(_LOG_GLOBALS):
            yield
    finally:
        torch.serialization.add_safe_globals(trusted)
