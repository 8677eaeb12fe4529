from __future__ import annotations

import pytest

from sod_plugins._common.limits import MOST_PIXELS, require_number, require_size


def test_numbers_within_limits_pass_and_others_are_named():
    assert require_number('count', 1, 1, 3) == 1 and require_number('count', 3, 1, 3) == 3
    for value in (0, 4, 10**20):
        with pytest.raises(ValueError, match=rf'^count is {value}\. Give 1 to 3 scenes\.$'):
            require_number('count', value, 1, 3, 'scenes')


def test_sizes_within_limits_pass_and_others_are_named():
    assert require_size((1, 1)) == (1, 1) and require_size((8192, 8192)) == (8192, 8192)
    assert MOST_PIXELS == 8192**2
    for size in ((0, 1), (1, 16385), (8192, 8193), (10**20, 10**20), (1, 2, 3), (-5, 3)):
        with pytest.raises(ValueError, match=r'^size is \(.*\)\. Give a height and a width of'):
            require_size(size)
    with pytest.raises(OverflowError):
        require_size((1, 1), 2, error=OverflowError)
