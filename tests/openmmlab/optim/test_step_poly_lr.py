from __future__ import annotations

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS


def learning_rates(count, **arguments):
    optimizer = torch.optim.SGD(
        [
            {'params': [torch.zeros(1, requires_grad=True)], 'lr': 5e-4},
            {'params': [torch.zeros(1, requires_grad=True)], 'lr': 5e-5},
        ],
        lr=1.0,
    )
    scheduler = PARAM_SCHEDULERS.build(
        {'type': 'sod_plugins.StepPolyLR', **arguments}, default_args={'optimizer': optimizer}
    )
    rates = []
    for _ in range(count):
        rates.append([group['lr'] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return rates


def test_the_paper_s_schedule_in_epochs_of_five_passes():
    rates = learning_rates(250, interval=5, power=0.9, begin=0, end=250)
    for number, (first, second) in enumerate(rates):
        expected = 5e-4 * (1 - number // 5 / 50) ** 0.9
        assert first == pytest.approx(expected, rel=1e-12)
        assert second == pytest.approx(expected / 10, rel=1e-12)


def test_it_ends_above_its_minimum_and_stays_there():
    rates = learning_rates(9, interval=2, power=1.0, eta_min=1e-4, begin=0, end=6)
    expected = [1e-4 + 4e-4 * (1 - step / 3) for step in (0, 0, 1, 1, 2, 2, 2, 2, 2)]
    assert [rate for rate, _ in rates] == pytest.approx(expected)


def test_steps_must_fit():
    with pytest.raises(ValueError, match='interval must divide end - begin, which is 7, got 5'):
        learning_rates(1, interval=5, begin=0, end=7)
