"""Learning-rate schedules of the papers, as plain arithmetic."""

from __future__ import annotations


def step_poly_factor(epoch: int, interval: int, epochs: int, power: float = 0.9) -> float:
    """Return the factor on the learning rate of SAMNet's poly schedule, from 1 to 0.

    The schedule is ``(1 - n / N)**power``, whose n counts steps of several epochs: SAMNet's
    released training calls five passes through the data an epoch. It fits
    ``torch.optim.lr_scheduler.LambdaLR``.

    Args:
        epoch: Passes through the data so far.
        interval: Passes per step.
        epochs: Passes of the whole training, N times ``interval``.
        power: The exponent.

    Raises:
        ValueError: If ``interval`` does not divide ``epochs``.
    """
    check_interval(interval, epochs)
    return float((1 - epoch // interval / (epochs // interval)) ** power)


def check_interval(interval: int, epochs: int) -> None:
    """Refuse steps of ``interval`` epochs that do not fill a training of ``epochs``.

    Raises:
        ValueError: If they do not.
    """
    if interval < 1 or epochs % interval:
        raise ValueError(f'interval must divide end - begin, which is {epochs}, got {interval}.')
