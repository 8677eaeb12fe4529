"""Full disks, a few alone; ``losses.py`` makes all trials by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('mmseg')
pytest.importorskip('matplotlib')

SCRIPT = Path(__file__).with_name('losses.py')


def can_mount(folder: Path) -> bool:
    words = ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', folder]
    if os.getuid() or subprocess.run(words, check=False, capture_output=True).returncode:
        return False
    return subprocess.run(['umount', folder], check=False).returncode == 0


@pytest.mark.slow
def test_a_full_disk_costs_no_file(tmp_path):
    if not can_mount(tmp_path):
        pytest.skip('needs to mount a small file system')
    out = tmp_path / 'table.json'
    trials = ('eval-json', 'extract', 'data-synth')
    command = [sys.executable, SCRIPT, '--json', out, '--trials', *trials, 'broken']
    subprocess.run(command, check=False)
    table = json.loads(out.read_text())['table']
    broken = table.pop('broken')  # the control: writes as no command of ours does
    assert broken['lost'] >= 2 and broken['traceback'] >= 2
    assert list(table) == list(trials)
    for row in table.values():
        assert row.pop('tried') == 5
        assert set(row.values()) == {0}
