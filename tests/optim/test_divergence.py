from __future__ import annotations

import pytest
import torch
from torch import nn

from sod_plugins.optim import DivergenceError, check_losses, check_weights


@pytest.mark.parametrize('value', [float('nan'), float('inf'), -float('inf')])
def test_a_loss_that_is_no_number_stops_with_the_names_of_the_batch(value):
    losses = {'loss_bce': torch.tensor(0.5), 'loss_side': torch.tensor(value)}
    with pytest.raises(DivergenceError) as caught:
        check_losses(losses, ['a.jpg', 'b.jpg'], 'iteration 7')
    assert str(caught.value) == (
        f'The training diverged in iteration 7: loss_side became {value}. The files of the batch: '
        'a.jpg, b.jpg. Check them, or go on from the last checkpoint with a smaller learning rate.'
    )


def test_losses_without_names_and_good_ones():
    check_losses({})
    check_losses({'loss': torch.tensor(1e38), 'accuracy': torch.tensor([3])})
    with pytest.raises(DivergenceError, match=r'diverged: loss became nan\. Check the batch, or'):
        check_losses({'loss': torch.tensor(float('nan'))})


@pytest.mark.parametrize('name', ['0.weight', '1.running_var'])
def test_weights_and_statistics_are_checked(name):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    check_weights(network)
    network.state_dict()[name].view(-1)[1] = float('inf')
    with pytest.raises(DivergenceError, match=f'in epoch 2: {name} became NaN or infinite, so no'):
        check_weights(network, 'epoch 2')
