from __future__ import annotations

import hashlib

import numpy as np
import pytest

from sod_plugins.data import DataError, find_pairs, hold_back, save_png, write_held_back


def test_parts_are_disjoint_complete_and_a_function_of_the_seed():
    stems = [f'{i:05d}' for i in range(1000)]
    train, val = hold_back(reversed(stems), 100, seed=0, left_out=['00007'])
    assert sorted(train + val) == [stem for stem in stems if stem != '00007']
    assert len(val) == 100 and val == sorted(val)
    assert hold_back(stems, 100, 0, ['00007']) == (train, val)
    assert hold_back(stems, 100, 1, ['00007']) != (train, val)
    # The list must be the same for everyone who trains again.
    digest = hashlib.sha256('\n'.join(val).encode()).hexdigest()
    assert digest == '8e14e54cc8add65a4b407daebbc8475f0fd9a9e67e4d9bc516fdb964a98320d8'


def test_refuses_unknown_stems_and_too_large_a_part():
    with pytest.raises(DataError, match='do not exist: c'):
        hold_back('ab', 1, left_out=['c'])
    with pytest.raises(DataError, match='Of 2 images 2 cannot be held back'):
        hold_back('ab', 2)


def test_lists_select_the_pairs_of_a_folder(tmp_path):
    for stem in 'abcdef':
        for folder in ('images', 'masks'):
            save_png(tmp_path / folder / f'{stem}.png', np.zeros((4, 5), np.uint8))
    write_held_back(tmp_path, 2, left_out='f')
    lists = ['train.txt', 'val.txt']
    found = [[pair.image.stem for pair in find_pairs(tmp_path, list_file=f)] for f in lists]
    assert [len(part) for part in found] == [3, 2]
    assert sorted(found[0] + found[1]) == list('abcde')
