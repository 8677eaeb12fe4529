from __future__ import annotations

import pytest

from sod_plugins.data import PRESETS, DataError, find_preset


def test_counts_are_the_published_ones():
    assert {name: preset.count for name, preset in PRESETS.items()} == {
        'duts-tr': 10553,
        'duts-te': 5019,
        'ecssd': 1000,
        'pascal-s': 850,
        'dut-omron': 5168,
        'hku-is': 4447,
        'sod': 300,
        'thur15k': 6232,
        'msra10k': 10000,
        'judd': 900,
    }


def test_names_are_found_whatever_their_case():
    assert find_preset('Pascal-S') is PRESETS['pascal-s']
    with pytest.raises(DataError, match=r"preset must be one of 'duts-tr', .*, got 'best'\.$"):
        find_preset('best')


def test_another_count_is_a_problem():
    preset = find_preset('judd')
    assert preset.count_problem(900) is None
    assert preset.count_problem(899).startswith('Judd has 900 pairs, but 899 were found.')
