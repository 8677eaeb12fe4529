"""The start of a training of detectron2."""

from __future__ import annotations

from detectron2.engine import TrainerBase

from sod_plugins._common import starting


class Start(starting.Start):
    """Whether the first batch of a training of detectron2 has passed the model."""

    clear = (FloatingPointError, ImportError, OSError, ValueError)

    def watch(self, trainer: TrainerBase) -> None:
        """Take note of the first batch."""
        after_step = trainer.after_step

        def noting() -> None:
            self.over = True
            after_step()

        trainer.after_step = noting
