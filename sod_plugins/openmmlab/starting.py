"""Report faults of a config or of data that show while a run is built, in one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mmengine.runner import Runner

from sod_plugins._common.writing import writing_text
from sod_plugins.data import DataError
from sod_plugins.openmmlab.errors import LaunchError

LONGEST = 300  # characters of a host's message
TRACEBACK = 'failed_start.txt'


class Start:
    """The start of a run, until the first batch has passed the model.

    A failure until then is a fault of the config: mmengine builds data sets, optimizers, schedules
    and loops only when a run begins, and parts that do not fit together fail in the first batch.

    Args:
        source: The config, which the sentence names.
        work_dir: Folder for the traceback, for authors of their own parts.
    """

    def __init__(self, source: str | Path, work_dir: str | Path) -> None:
        self.source = source
        self.work_dir = Path(work_dir)
        self.over = False

    def watch(self, runner: Runner) -> None:
        """Notice the first batch."""
        call_hook = runner.call_hook

        def noting(fn_name: str, **arguments: Any) -> None:
            self.over = self.over or (fn_name.startswith('after_') and fn_name.endswith('_iter'))
            call_hook(fn_name, **arguments)

        runner.call_hook = noting

    @contextmanager
    def told(self) -> Iterator[None]:
        """Report any failure up to the first batch in one sentence.

        Raises:
            LaunchError: There was one; its traceback is in the work folder.
        """
        try:
            yield
        except (LaunchError, DataError, ImportError):
            raise
        except Exception as error:  # parts are built from anything that a config may name
            if self.over:
                raise
            file = self.work_dir / TRACEBACK
            with suppress(OSError), writing_text(file) as text:
                text.write(traceback.format_exc())
            raise LaunchError(
                f"The config '{self.source}' does not fit{_part(error)}: {_message(error)} Correct "
                f"it, or the options; the traceback is in '{file}'."
            ) from error


def _part(error: Exception) -> str:
    """Return which part of the config was being built, the innermost of several."""
    part = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_name == 'build_from_cfg':  # of mmengine's registries
            part = frame.f_locals.get('obj_type', part)
    return f" in '{getattr(part, '__name__', part)}'" if part else ''


def _message(error: Exception) -> str:
    """Return the message of an error as one sentence."""
    # A KeyError's text is the repr of its message; a worker's ends in the message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
    text = ' '.join(text.partition(' More details can be found at ')[0].split())
    text = text[:LONGEST].rstrip(' .:') or 'no reason given'
    return f'{type(error).__name__}: {text}.'
