"""Learning-rate schedules of the papers."""

from __future__ import annotations


def step_poly_factor(epoch: int, interval: int, epochs: int, power: float = 0.9) -> float:
    """Return the learning-rate factor of SAMNet's poly schedule, from 1 to 0.

    The schedule is ``(1 - n / N)**power``, where n counts steps of several epochs: SAMNet's
    released training counts five passes through the data as one epoch. Use it with
    ``torch.optim.lr_scheduler.LambdaLR``.

    Args:
        epoch: Number of passes through the data so far.
        interval: Number of passes per step.
        epochs: Number of passes of the whole training, N times ``interval``.
        power: The exponent.

    Raises:
        ValueError: ``interval`` does not divide ``epochs``.
    """
    check_interval(interval, epochs)
    return float((1 - epoch // interval / (epochs // interval)) ** power)


def check_interval(interval: int, epochs: int) -> None:
    """Check that steps of ``interval`` epochs divide a training of ``epochs``.

    Raises:
        ValueError: They do not.
    """
    if interval < 1 or epochs % interval:
        raise ValueError(f'interval must divide end - begin, which is {epochs}, got {interval}.')
