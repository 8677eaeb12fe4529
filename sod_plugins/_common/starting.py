"""Report faults of a config or of data that show while a run is built, in one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from sod_plugins._common.writing import writing_text

LONGEST = 300  # characters of a host's message
TRACEBACK = 'failed_start.txt'


class Start:
    """The start of a run, until the first batch has passed the model.

    A failure until then is a fault of the config: hosts build data sets, optimizers, schedules and
    loops only when a run begins, and parts that do not fit together fail in the first batch.

    Args:
        source: The config, which the sentence names.
        work_dir: Folder for the traceback, for authors of their own parts.

    Attributes:
        error: The class of the error with the sentence.
        clear: Errors that are clear by themselves and are not replaced.
    """

    error: ClassVar[type[ValueError]] = ValueError
    clear: ClassVar[tuple[type[Exception], ...]] = (ImportError,)

    def __init__(self, source: str | Path, work_dir: str | Path) -> None:
        self.source = source
        self.work_dir = Path(work_dir)
        self.over = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Report any failure up to the first batch in one sentence.

        Raises:
            ValueError: There was one (raised as ``error``); its traceback is in the work folder.
        """
        try:
            yield
        except self.clear:
            raise
        except Exception as error:  # parts are built from anything that a config may name
            if self.over:
                raise
            file = self.work_dir / TRACEBACK
            with suppress(OSError), writing_text(file) as text:
                text.write(traceback.format_exc())
            raise self.error(
                f"The config '{self.source}' does not fit{self.part(error)}: {_message(error)} "
                f"Correct it, or the options; the traceback is in '{file}'."
            ) from error

    def part(self, error: Exception) -> str:
        """Return which part of the config was being built, as `` in 'PART'``, if that is known."""
        return ''


def _message(error: Exception) -> str:
    """Return the message of an error as one sentence."""
    # A KeyError's text is the repr of its message; a worker's ends in the message.
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    if 'Original Traceback' in text:
        text = text.strip().splitlines()[-1]
    text = ' '.join(text.partition(' More details can be found at ')[0].split())
    text = text[:LONGEST].rstrip(' .:') or 'no reason given'
    return f'{type(error).__name__}: {text}.'
