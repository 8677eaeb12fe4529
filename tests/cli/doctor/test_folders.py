from __future__ import annotations

import hashlib
import tempfile

import pytest

from sod_plugins.cli.doctor import folders
from sod_plugins.cli.doctor.folders import check_downloads, check_folder, check_folders


def test_a_folder_that_is_there_and_one_that_is_not_yet(tmp_path):
    (tmp_path / 'a').write_bytes(bytes(3_000_000))
    finding = check_folder('downloads', tmp_path, '')
    assert (finding.status, '1 files, 3 MB' in finding.value) == ('ok', True)
    finding = check_folder('downloads', tmp_path / 'new' / 'newer', '')
    assert (finding.status, 'not there yet' in finding.value) == ('ok', True)
    assert [path.name for path in tmp_path.iterdir()] == ['a']  # nothing is left behind


def test_folders_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    for name in ('XDG_CACHE_HOME', 'NUMBA_CACHE_DIR', 'TMPDIR'):
        monkeypatch.setenv(name, str(tmp_path / 'file' / 'cache'))
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'file' / 'cache'))
    findings = {finding.name: finding for finding in check_folders()}
    assert {'downloads', 'temporary'} <= findings.keys()
    for finding in findings.values():
        assert finding.status == 'problem'
        assert "file' is a file" in finding.value
    assert 'XDG_CACHE_HOME' in findings['downloads'].advice


def test_a_folder_of_another_user(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(folders.tempfile, 'TemporaryFile', refuse)
    finding = check_folder('downloads', tmp_path, 'Set X.')
    assert (finding.status, 'Permission denied' in finding.value) == ('problem', True)
    assert finding.advice == 'Set X.'


def test_a_full_disk(tmp_path, monkeypatch):
    usage = folders.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(folders.shutil, 'disk_usage', lambda _: usage._replace(free=5_000_000))
    finding = check_folder('downloads', tmp_path, '')
    assert (finding.status, 'only 5 MB free' in finding.value) == ('problem', True)


@pytest.mark.parametrize('name', ['{}-net.pth', 'net-{}.pth'])
def test_damaged_downloads(tmp_path, name):
    content = b'weights'
    path = tmp_path / name.format(hashlib.sha256(content).hexdigest()[:16])
    path.write_bytes(content)
    (tmp_path / '0123456789abcdef-net.pth.part').write_bytes(b'half')
    (tmp_path / 'note.txt').write_text('no download')
    assert list(check_downloads(tmp_path)) == []
    path.write_bytes(content[:-1])
    (finding,) = check_downloads(tmp_path)
    assert (finding.status, str(path) in finding.value) == ('problem', True)
