from __future__ import annotations

import pytest
import torch

from sod_plugins.ops import channel_shuffle


@pytest.mark.parametrize(('groups', 'per_group'), [(1, 5), (3, 1), (3, 4), (2, 6)])
@pytest.mark.parametrize('memory_format', [torch.contiguous_format, torch.channels_last])
def test_channel_k_of_run_g_goes_to_k_groups_plus_g(groups, per_group, memory_format):
    x = torch.randn(2, groups * per_group, 3, 5).to(memory_format=memory_format)
    shuffled = channel_shuffle(x, groups)
    assert shuffled.shape == x.shape
    for g in range(groups):
        for k in range(per_group):
            assert torch.equal(shuffled[:, k * groups + g], x[:, g * per_group + k])


def test_the_transposed_shuffle_undoes_it():
    x = torch.randn(1, 12, 2, 2)
    assert torch.equal(channel_shuffle(channel_shuffle(x, 3), 4), x)
    assert channel_shuffle(x[:0], 3).shape == (0, 12, 2, 2)


def test_groups_must_divide_the_channels():
    with pytest.raises(ValueError, match='cannot split 7 channels into 3 groups'):
        channel_shuffle(torch.zeros(1, 7, 2, 2), 3)
