from __future__ import annotations

import pytest

from sod_plugins._common.choices import require_choice


def test_a_choice_is_returned():
    assert require_choice('rule', 'gamma', ('gamma', 'filters')) == 'gamma'


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        ('gama', "rule must be one of 'gamma', 'filters', got 'gama'. Did you mean 'gamma'?"),
        (3, "rule must be one of 'gamma', 'filters', got 3."),
    ],
)
def test_other_values_are_refused(value, message):
    with pytest.raises(KeyError) as caught:
        require_choice('rule', value, ('gamma', 'filters'), KeyError)
    assert caught.value.args == (message,)
