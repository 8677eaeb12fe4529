from __future__ import annotations

import pytest
import torch

from sod_plugins._common.limits import MOST_PIXELS, fitting_memory, require_number, require_size


def test_numbers_within_limits_pass_and_others_are_named():
    assert require_number('count', 1, 1, 3) == 1 and require_number('count', 3, 1, 3) == 3
    for value in (0, 4, 10**20):
        with pytest.raises(ValueError, match=rf'^count is {value}\. Give 1 to 3 scenes\.$'):
            require_number('count', value, 1, 3, 'scenes')


def test_sizes_within_limits_pass_and_others_are_named():
    assert require_size((1, 1)) == (1, 1) and require_size((4096, 4096)) == (4096, 4096)
    assert MOST_PIXELS == 4096**2
    for size in ((0, 1), (1, 16385), (4096, 4097), (10**20, 10**20), (1, 2, 3), (-5, 3)):
        with pytest.raises(ValueError, match=r'^size is \(.*\)\. Give a height and a width of'):
            require_size(size)
    with pytest.raises(OverflowError):
        require_size((1, 1), 2, error=OverflowError)


def test_what_does_not_fit_into_memory_is_named():
    words = r'^the map does not fit into memory\. Choose a smaller size\.$'
    with pytest.raises(ValueError, match=words), fitting_memory('the map'):
        torch.empty(1 << 60)
    with pytest.raises(RuntimeError, match='shape'), fitting_memory('the map'):
        torch.empty(2).view(3)
