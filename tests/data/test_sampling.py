from __future__ import annotations

import itertools

from sod_plugins.data import sample_rng


def test_choices_depend_on_every_argument_and_on_nothing_else():
    keys = list(itertools.product(range(3), repeat=3))
    first = {key: sample_rng(*key).integers(2**62) for key in keys}
    again = {key: sample_rng(*key).integers(2**62) for key in reversed(keys)}
    assert first == again
    assert len(set(first.values())) == len(keys)
