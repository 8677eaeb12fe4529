from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from sod_plugins._common.journal import Journal

HOLD = """
import sys
from sod_plugins._common.journal import Journal
with Journal(sys.argv[1]) as journal:
    journal.append({'number': 1})
    print('open', flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / 'records.jsonl'


def records(path):
    with Journal(path) as journal:
        return list(journal.records())


def test_records_stay_until_they_are_discarded(path):
    with Journal(path) as journal:
        assert journal.is_empty
        journal.append({'name': 'caf\u00e9\n'})
        journal.append([1, None])
        assert path.read_bytes().count(b'\n') == 2
    assert records(path) == [{'name': 'caf\u00e9\n'}, [1, None]]
    with Journal(path) as journal:
        assert not journal.is_empty
        journal.discard()
    assert not path.exists()


def test_a_line_that_was_cut_off_gives_way_to_the_next(path):
    path.write_bytes(b'{"a": 1}\n{"a": 2')
    assert records(path) == [{'a': 1}]
    assert path.read_bytes().endswith(b'{"a": 2')  # what nothing is appended to stays as it is
    with Journal(path) as journal:
        journal.append({'a': 3})
    assert path.read_bytes() == b'{"a": 1}\n{"a": 3}\n'


def test_damage_is_named_with_its_line(path):
    path.write_bytes(b'{"a": 1}\n\xff\n')
    with pytest.raises(ValueError, match=r"records\.jsonl', line 2, is damaged"):
        records(path)


def test_a_full_disk_leaves_the_records_before(path, monkeypatch):
    with Journal(path) as journal:
        journal.append('first')
        write = os.write

        def write_half(file, data):
            if len(data) > 5:
                return write(file, data[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr('os.write', write_half)
            with pytest.raises(OSError, match=r"cannot write '.*records\.jsonl': No space left"):
                journal.append('second')
        assert list(journal.records()) == ['first']
        journal.append('third')
        assert list(journal.records()) == ['first', 'third']


def test_two_processes_are_kept_apart_and_a_killed_one_leaves_its_records(path):
    words = [sys.executable, '-c', HOLD, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b'open\n'
        with pytest.raises(BlockingIOError, match='another process is writing') as caught:
            Journal(path)
        assert caught.value.errno == errno.EAGAIN
        process.kill()
    assert records(path) == [{'number': 1}]


def test_a_file_that_is_removed_meanwhile_is_made_anew(path, monkeypatch):
    """The process before removes its file between the opening and the locking of it."""
    import fcntl

    locked = fcntl.flock
    removals = [True]

    def flock(file, operation):
        if removals and removals.pop():
            path.unlink()
        locked(file, operation)

    monkeypatch.setattr('fcntl.flock', flock)
    with Journal(path) as journal:
        journal.append(1)
        assert path.read_text() == '1\n'


def test_links_and_pipes_are_refused(path, tmp_path):
    path.symlink_to(tmp_path / 'victim')
    with pytest.raises(OSError, match=r'records\.jsonl'):
        Journal(path)
    assert not (tmp_path / 'victim').exists()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match='pipe'):
        Journal(path)


def test_an_appended_record_costs_its_own_bytes_alone(path, monkeypatch):
    written = 0
    write = os.write

    def count(file, data):
        nonlocal written
        written += len(data)
        return write(file, data)

    monkeypatch.setattr('os.write', count)
    with Journal(path) as journal:
        reads = []
        monkeypatch.setattr(Journal, '_lines', lambda self: reads.append(1) or iter(()))
        for number in range(10_000):
            journal.append({'number': number})
        assert not reads
    assert written == path.stat().st_size
