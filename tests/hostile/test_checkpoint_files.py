"""A tenth of the hostile checkpoints; ``checkpoint_files.py`` runs them all by hand."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name('checkpoint_files.py')
PATIENCE = '300'  # seconds; each file takes less than two on a machine that does nothing else
OURS = ('load', 'backbone', 'extract', 'convert_samnet', 'widths')


def run(tmp_path, *words):
    out = tmp_path / 'table.json'
    command = [sys.executable, SCRIPT, '--json', out, '--patience', PATIENCE, *words]
    subprocess.run(command, check=False)
    return json.loads(out.read_text())


def check(record, readers):
    assert record['findings'] == []
    assert list(record['table']) == list(readers)
    for row in record['table'].values():
        assert row.pop('tried') >= 30
        assert set(row.values()) == {0}


def test_a_tenth_of_the_hostile_files_is_read_or_refused_in_a_sentence(tmp_path):
    check(run(tmp_path, '--part', '10', '--readers', *OURS), OURS)


@pytest.mark.slow
def test_a_tenth_is_neither_tested_nor_resumed_from(tmp_path):
    pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)
    check(run(tmp_path, '--part', '10', '--readers', 'test', 'resume'), ('test', 'resume'))


def test_the_files_would_execute_where_pickles_are_run(tmp_path, monkeypatch):
    """The control: so the tests above could fail."""
    monkeypatch.setenv('HOSTILE_CANARY', str(tmp_path / 'canary'))
    monkeypatch.syspath_prepend(SCRIPT.parent)  # of what the script imports
    spec = importlib.util.spec_from_file_location('checkpoint_files', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    executed = 0
    for name in ('exec', 'eval', 'system', 'open', 'run'):
        path = tmp_path / 'file.pth'
        path.write_bytes(module.zipped(module.Pickler(2).dump(module.CALLS[name])))
        code = f'import torch; torch.load({str(path)!r}, weights_only=False)'
        subprocess.run([sys.executable, '-c', code], stderr=subprocess.DEVNULL, check=False)
        executed += (tmp_path / 'canary').exists()
        (tmp_path / 'canary').unlink(missing_ok=True)
    assert executed == 5
