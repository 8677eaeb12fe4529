from __future__ import annotations

import pickle

from sod_plugins.data import DataError, list_files, list_problems


def test_ten_files_are_named_and_the_rest_is_counted():
    names = [f'{i}.png' for i in range(13)]
    assert list_files(names[:2]) == '0.png, 1.png'
    assert list_files(names[:10]).endswith('8.png, 9.png')
    assert list_files(names).endswith('8.png, 9.png and 3 more')


def test_ten_problems_have_a_line_each_and_the_rest_is_counted():
    texts = [f'Problem {i}.' for i in range(13)]
    assert list_problems(texts[:2]) == 'Problem 0.\nProblem 1.'
    assert list_problems(texts).splitlines()[9:] == ['Problem 9.', 'and 3 more']


def test_error_is_a_value_error_that_crosses_processes():
    error = pickle.loads(pickle.dumps(DataError('no such file')))
    assert isinstance(error, ValueError)
    assert str(error) == 'no such file'
