from __future__ import annotations

import errno
import os

import pytest

pytest.importorskip('mmseg')

from sod_plugins.openmmlab.commands import train_command


def test_a_checkpoint_that_does_not_fit_the_disk_is_named_and_leaves_nothing(
    toy_config, tmp_path, monkeypatch, capsys
):
    """The second checkpoint finds no space; the first stays, and the run says so."""
    toy_config().dump(tmp_path / 'run.py')
    flush, flushed = os.fsync, []

    def fsync(file):
        flushed.append(file)
        if len(flushed) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        flush(file)

    monkeypatch.setattr(os, 'fsync', fsync)
    assert train_command([str(tmp_path / 'run.py'), '--work-dir', str(tmp_path)]) == 1
    words = capsys.readouterr().err
    assert f"stopped: cannot write '{tmp_path / 'iter_8.pth'}': No space left" in words
    assert [path.name for path in tmp_path.glob('*.pth*')] == ['iter_4.pth']
    assert not list(tmp_path.glob('.sod-*'))
    assert (tmp_path / 'last_checkpoint').read_text().endswith('iter_4.pth')
