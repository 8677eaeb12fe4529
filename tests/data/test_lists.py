from __future__ import annotations

from pathlib import Path

import pytest

from sod_plugins.data import DataError
from sod_plugins.data.lists import listed_stems, read_list, select_listed


@pytest.mark.parametrize(
    ('line', 'fields'),
    [
        ('100015', ['100015']),
        ('my photo', ['my photo']),
        ('my photo.jpg', ['my photo.jpg']),
        ('im/a.jpg gt/a.png', ['im/a.jpg', 'gt/a.png']),
        ('my im/a b.jpg\tmy gt/a b.png ', ['my im/a b.jpg', 'my gt/a b.png']),
    ],
)
def test_fields_of_a_line(tmp_path, line, fields):
    path = tmp_path / 'list.txt'
    path.write_text(f'\n{line}\n\n')
    assert read_list(path) == [fields]


def test_entries_name_stems_and_file_names():
    # A prefix is no part of the stem, but may be part of the entry.
    images = {'1': Path('x/im_1.jpg'), '2': Path('x/im_2.jpg'), '3': Path('x/im_3.jpg')}
    entries = ['3', 'im_1', 'x/im_2.jpg']
    assert select_listed(Path('list.txt'), entries, images) == ['3', '1', '2']


def test_stems_are_those_of_any_folder_each_once(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_text('there/b.v2.jpg\nc.v3\na\nimages/a.jpg masks/a.png\n')
    assert listed_stems(path) == ['a', 'b.v2', 'c.v3']


def test_entry_of_another_folder_fits_no_image():
    with pytest.raises(DataError, match=r'do not exist: y/a\.jpg'):
        select_listed(Path('list.txt'), ['y/a.jpg'], {'a': Path('x/a.jpg')})


def test_binary_file_is_no_list(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes(b'\xff\xfe\x00')
    with pytest.raises(DataError, match=r'Cannot read the list .*list\.txt'):
        read_list(path)
