"""What fails at the start of a run becomes one sentence; what fails later stays as it is."""

from __future__ import annotations

import pytest

from sod_plugins._common.starting import TRACEBACK, Start


def fail(error):
    raise error


def test_a_fault_at_the_start_is_one_sentence_and_a_file(tmp_path):
    with pytest.raises(ValueError, match='does not fit') as caught, Start('mine', tmp_path).told():
        fail(KeyError("No object\nnamed 'x' found."))
    written = tmp_path / TRACEBACK
    assert str(caught.value) == (
        "The config 'mine' does not fit: KeyError: No object named 'x' found. Correct it, or the "
        f"options; the traceback is in '{written}'."
    )
    assert written.read_text().startswith('Traceback')


def test_clear_errors_and_later_ones_pass(tmp_path):
    start = Start('mine', tmp_path)
    with pytest.raises(ImportError, match='no host'), start.told():
        fail(ImportError('no host'))
    start.over = True
    with pytest.raises(RuntimeError, match='in the middle'), start.told():
        fail(RuntimeError('in the middle'))
    assert not list(tmp_path.iterdir())


def test_the_error_is_told_also_where_the_folder_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    start = Start('mine', tmp_path / 'file' / 'below')
    with pytest.raises(ValueError, match='TypeError: no reason given'), start.told():
        fail(TypeError())
