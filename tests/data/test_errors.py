from __future__ import annotations

import pickle

from sod_plugins.data import DataError, list_files


def test_ten_files_are_named_and_the_rest_is_counted():
    names = [f'{i}.png' for i in range(13)]
    assert list_files(names[:2]) == '0.png, 1.png'
    assert list_files(names[:10]).endswith('8.png, 9.png')
    assert list_files(names).endswith('8.png, 9.png and 3 more')


def test_error_is_a_value_error_that_crosses_processes():
    error = pickle.loads(pickle.dumps(DataError('no such file')))
    assert isinstance(error, ValueError)
    assert str(error) == 'no such file'
