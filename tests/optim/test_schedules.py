from __future__ import annotations

import pytest
import torch

from sod_plugins.optim.schedules import step_poly_factor


def test_the_schedule_of_samnet_in_plain_torch():
    """Fifty steps of five passes, as a loop that calls LambdaLR after each pass sees them."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=5e-4)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda epoch: step_poly_factor(epoch, 5, 250)
    )
    rates = []
    for _ in range(250):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    expected = [5e-4 * (1 - n / 50) ** 0.9 for n in range(50) for _ in range(5)]
    assert rates == pytest.approx(expected, rel=1e-12)
    assert scheduler.get_last_lr() == [0]


@pytest.mark.parametrize('interval', [3, 0])
def test_steps_must_fit(interval):
    with pytest.raises(ValueError, match=f'which is 10, got {interval}'):
        step_poly_factor(0, interval, 10)
