"""A polynomial decay of the learning rate in steps of several epochs."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapper, PolyLR
from torch.optim import Optimizer

from sod_plugins.optim.schedules import check_interval, step_poly_factor
from sod_plugins.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class StepPolyLR(PolyLR):
    """Poly schedule ``lr * (1 - n / N)**power`` where n counts steps of several epochs.

    SAMNet's released training counts five passes through the data as one epoch. Here passes are
    mmengine's epochs, and the learning rate changes at every fifth. (The host's ``PolyLR`` changes
    it at every one, and reaches ``eta_min`` one epoch before ``end``.)

    Args:
        optimizer: The optimizer or its wrapper.
        interval: Number of mmengine epochs per step; ``end - begin`` is N times it.
        **kwargs: Arguments of the host's ``PolyLR``.

    Raises:
        ValueError: ``interval`` does not divide ``end - begin``.
    """

    def __init__(
        self, optimizer: Optimizer | OptimWrapper, interval: int = 1, **kwargs: Any
    ) -> None:
        self.interval = interval
        super().__init__(optimizer, **kwargs)
        check_interval(interval, self.end - self.begin)

    def _get_value(self) -> list[float]:
        """Compute the learning rates of all parameter groups from those of the previous epoch."""
        values = [group[self.param_name] for group in self.optimizer.param_groups]
        if self.last_step == 0:
            return values
        before, now = (
            step_poly_factor(step, self.interval, self.end - self.begin, self.power)
            for step in (self.last_step - 1, self.last_step)
        )
        return [self.eta_min + (value - self.eta_min) * now / before for value in values]
