from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from sod_plugins._common.reading import (
    open_regular,
    read_bytes,
    read_stream,
    read_text,
    sentence,
    why,
)

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


def test_a_stream_is_read_to_its_end_or_a_gigabyte():
    class Endless:
        def read(self, count: int) -> range:  # has a length and takes no memory
            return range(count)

    assert read_stream(io.BytesIO(b'whole'), 5) == b'whole'
    with pytest.raises(ValueError, match='does not end within 4 bytes'):
        read_stream(io.BytesIO(b'whole'), 4)
    with pytest.raises(ValueError, match=r'within 1,073,741,824 bytes\. Name a file'):
        read_stream(Endless())


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (OSError(20, 'Not a directory', 'a'), "'a' cannot be used: Not a directory"),
        (OSError(21, 'Is a directory', 'a', None, 'b'), "'b' cannot be used: Is a directory"),
        (OSError(28, "cannot write 'a': full"), "cannot write 'a': full"),
        (FileNotFoundError('There is no a.'), 'There is no a.'),
    ],
)
def test_errors_of_the_system_are_sentences(error, words):
    assert sentence(error) == words
