from __future__ import annotations

import os
from pathlib import Path

import pytest

from sod_plugins._common.reading import open_regular, read_bytes, read_text, why

TEXT = 'images/café.jpg\nimages/b.jpg\n'


@pytest.mark.parametrize(
    'content',
    [
        TEXT.encode(),
        TEXT.encode('utf-8-sig'),
        TEXT.encode('utf-16'),
        TEXT.encode('utf-16-le'),
        TEXT.encode('utf-16-be'),
        b'\xfe\xff' + TEXT.encode('utf-16-be'),
    ],
)
def test_text_is_read_as_any_editor_saves_it(tmp_path, content):
    path = tmp_path / 'list.txt'
    path.write_bytes(content)
    assert read_text(path) == TEXT


def test_text_of_another_encoding_is_named(tmp_path):
    path = tmp_path / 'list.txt'
    path.write_bytes('café\n'.encode('latin-1'))
    with pytest.raises(ValueError, match=r"list\.txt' is text neither .* \(byte 3 .* as UTF-8"):
        read_text(path)


def test_empty_file(tmp_path):
    (tmp_path / 'a').touch()
    assert read_text(tmp_path / 'a') == ''


@pytest.mark.skipif(not hasattr(os, 'mkfifo'), reason='no named pipes here')
def test_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    with pytest.raises(OSError, match='a pipe or a device') as caught:
        open_regular(tmp_path / 'pipe')
    assert why(caught.value) == 'it is a pipe or a device, not a regular file'


@pytest.mark.skipif(not Path('/dev/zero').exists(), reason='no such device here')
def test_endless_device_is_refused():
    with pytest.raises(OSError, match='a pipe or a device'):
        read_bytes('/dev/zero')


def test_folders_and_missing_files_are_the_systems_errors(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_bytes(tmp_path)
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / 'none')


def test_a_file_larger_than_allowed_is_not_read(tmp_path):
    (tmp_path / 'big').write_bytes(b'12345')
    assert read_bytes(tmp_path / 'big', largest=5) == b'12345'
    with pytest.raises(OSError, match='5 bytes, more than the 4 that'):
        read_bytes(tmp_path / 'big', largest=4)
