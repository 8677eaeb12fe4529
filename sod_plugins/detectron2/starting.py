"""Report faults of a config or of data that show while a training of detectron2 is built."""

from __future__ import annotations

from detectron2.engine import TrainerBase

from sod_plugins._common import starting


class Start(starting.Start):
    """The start of a training of detectron2."""

    clear = (FloatingPointError, ImportError, OSError, ValueError)

    def watch(self, trainer: TrainerBase) -> None:
        """Notice the first batch."""
        after_step = trainer.after_step

        def noting() -> None:
            self.over = True
            after_step()

        trainer.after_step = noting
