"""A tenth of the hostile ONNX and OpenVINO files; ``onnx_files.py`` runs them all by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

for module in ('onnx', 'onnxruntime', 'openvino'):
    pytest.importorskip(module)

SCRIPT = Path(__file__).with_name('onnx_files.py')
PATIENCE = '300'  # seconds; each file takes less than two on a machine that does nothing else


def test_a_tenth_of_the_hostile_networks_is_run_or_refused_in_a_sentence(tmp_path):
    out = tmp_path / 'table.json'
    command = [sys.executable, SCRIPT, '--json', out, '--part', '10', '--patience', PATIENCE]
    subprocess.run(command, check=False)
    record = json.loads(out.read_text())
    assert record['files'] >= 30 and record['findings'] == []
    for row in record['table'].values():
        assert row.pop('tried') >= 15
        assert set(row.values()) == {0}
