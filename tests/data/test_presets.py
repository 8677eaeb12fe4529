from __future__ import annotations

from sod_plugins.data import PRESETS


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
