from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from sod_plugins._common.writing import write_bytes, write_text, writing, writing_path, writing_text


def test_a_file_appears_whole_and_its_folder_is_made(tmp_path):
    path = tmp_path / 'new' / 'file.bin'
    with writing(path) as file:
        file.write(b'half')
        assert not path.exists()
        file.write(b' and half')
    assert path.read_bytes() == b'half and half'
    assert [p.name for p in path.parent.iterdir()] == ['file.bin']


@pytest.mark.parametrize('error', [ValueError('wrong'), KeyboardInterrupt()])
@pytest.mark.parametrize('opened', [writing, writing_path])
def test_an_error_leaves_the_older_file_and_nothing_else(tmp_path, opened, error):
    path = tmp_path / 'file.txt'
    path.write_text('older')
    with pytest.raises(type(error)), opened(path) as unfinished:
        if opened is writing:
            unfinished.write(b'newer')
        else:
            unfinished.write_bytes(b'newer')
        raise error
    assert path.read_text() == 'older'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize('opened', [writing, writing_path])
def test_a_full_disk_is_named_with_the_file(tmp_path, opened):
    path = tmp_path / 'file.txt'
    with pytest.raises(OSError, match='cannot write') as caught, opened(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.strerror == f"cannot write '{path}': No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_a_real_full_device_leaves_the_older_file(tmp_path):
    """``/dev/full`` refuses what is flushed to it, as a full disk does."""
    if not Path('/dev/full').exists():
        pytest.skip('needs /dev/full')
    path = tmp_path / 'file.txt'
    path.write_text('older')
    with pytest.raises(OSError, match='cannot write'), writing(path) as file:
        os.dup2(os.open('/dev/full', os.O_WRONLY), file.fileno())
        file.write(b'newer')
    assert path.read_text() == 'older'


def test_a_pipe_or_device_is_not_replaced(tmp_path):
    pipe = tmp_path / 'pipe'
    os.mkfifo(pipe)
    link = tmp_path / 'link'
    link.symlink_to(pipe)
    for path in (pipe, link):
        with pytest.raises(OSError, match=f"'{path}' is a device or a pipe"):
            write_text(path, 'text')
    assert pipe.is_fifo() and link.is_symlink()


def test_names_of_any_allowed_length_and_bytes(tmp_path):
    for name in ('n' * 251 + '.txt', os.fsdecode(b'caf\xe9.txt')):
        write_text(tmp_path / name, os.fsdecode(b'caf\xe9'))
        assert (tmp_path / name).read_bytes() == b'caf\xe9'


def test_a_planted_link_is_not_written_through(tmp_path, monkeypatch):
    victim = tmp_path / 'victim'
    victim.write_text('safe')
    tokens = iter(['planted', 'other'])
    monkeypatch.setattr('secrets.token_hex', lambda _: next(tokens))
    (tmp_path / '.sod-planted.part').symlink_to(victim)
    write_bytes(tmp_path / 'file', b'content')
    assert victim.read_text() == 'safe'
    assert (tmp_path / 'file').read_bytes() == b'content'


def test_permissions_are_kept_and_otherwise_follow_the_umask(tmp_path):
    path = tmp_path / 'file'
    write_bytes(path, b'1')
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    path.chmod(0o600)
    write_bytes(path, b'2')
    assert path.stat().st_mode & 0o777 == 0o600


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_text_may_choose_its_line_ends(tmp_path):
    with writing_text(tmp_path / 'a.csv', newline='') as file:
        file.write('a\r\nb\n')
    assert (tmp_path / 'a.csv').read_bytes() == b'a\r\nb\n'


def test_a_writer_by_name_gets_the_suffix(tmp_path):
    with writing_path(tmp_path / 'a.png') as unfinished:
        assert unfinished.suffix == '.png'
        unfinished.write_bytes(b'pixels')
    assert (tmp_path / 'a.png').read_bytes() == b'pixels'


@pytest.mark.parametrize('opened', [writing, writing_path])
def test_a_folder_is_refused(tmp_path, opened):
    with pytest.raises(IsADirectoryError, match='is a folder'), opened(tmp_path):
        pass
