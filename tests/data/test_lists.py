from __future__ import annotations

import os
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
    with pytest.raises(DataError, match=r'Cannot read the list.*list\.txt'):
        read_list(path)


# --- lists and names as other systems write them ---


@pytest.mark.parametrize(
    'content',
    [
        'b\na\n'.encode('utf-8-sig'),
        b'b\r\na\r\n',
        'b\r\na\r\n'.encode('utf-16'),
        'b\na'.encode('utf-16-be'),
    ],
)
def test_lists_of_any_editor(tmp_path, content):
    (tmp_path / 'list.txt').write_bytes(content)
    assert read_list(tmp_path / 'list.txt') == [['b'], ['a']]
    assert listed_stems(tmp_path / 'list.txt') == ['a', 'b']


def test_backslashes_are_understood(tmp_path):
    images = {'1': Path('x/im/1.jpg'), '2': Path('x/im/2.jpg')}
    entries = ['im\\2.jpg', '.\\im\\1.jpg']
    assert select_listed(Path('list.txt'), entries, images) == ['2', '1']
    with pytest.raises(DataError, match=r'do not exist: gt\\2\.jpg'):
        select_listed(Path('list.txt'), ['gt\\2.jpg'], images)
    (tmp_path / 'list.txt').write_text('im\\1.jpg\nim\\2.jpg\n')
    assert listed_stems(tmp_path / 'list.txt') == ['1', '2']


def test_a_name_with_a_backslash_of_its_own_is_found():
    images = {'im\\1': Path('x/im\\1.jpg')}
    assert select_listed(Path('list.txt'), ['im\\1.jpg'], images) == ['im\\1']


def test_a_pipe_is_no_list(tmp_path):
    os.mkfifo(tmp_path / 'list.txt')
    with pytest.raises(DataError, match=r"Cannot read the list '.*list\.txt': it is a pipe"):
        read_list(tmp_path / 'list.txt')
