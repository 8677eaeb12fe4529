"""A tenth of the hostile files of COCO's JSON; ``coco_files.py`` runs them all by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip('pycocotools')

SCRIPT = Path(__file__).with_name('coco_files.py')
PATIENCE = 300  # seconds; each file takes less than one on a machine that does nothing else


def run(tmp_path, *words):
    out = tmp_path / 'table.json'
    subprocess.run([sys.executable, SCRIPT, '--json', out, *words], check=False)
    return json.loads(out.read_text())


def test_a_tenth_of_the_hostile_files_is_read_or_refused_in_a_sentence(tmp_path):
    record = run(tmp_path, '--part', '10', '--patience', str(PATIENCE))
    assert record['files'] >= 60 and record['findings'] == []
    for row in record['table'].values():
        assert row.pop('tried') == record['files']
        assert set(row.values()) == {0}


def test_faulty_readers_are_found(tmp_path):
    table = run(tmp_path, '--faulty', '--patience', '10')['table']
    found = {name: {k for k, count in row.items() if count} for name, row in table.items()}
    assert found == {
        'crashes_at_pipes': {'tried', 'crash'},
        'hangs_at_folders': {'tried', 'hang'},
        'loads_pickles': {'tried', 'executed'},
        'expects_an_object': {'tried', 'traceback'},
    }
