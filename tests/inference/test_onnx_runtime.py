"""ONNX Runtime reports nothing. Its telemetry first stores a number of the machine in the cache."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import draw_scene
from sod_plugins.inference.onnx_runtime import TELEMETRY_OFF

pytest.importorskip('onnxruntime')

KEPT = f'import os; assert {TELEMETRY_OFF!r} not in os.environ'
WAYS = {
    'the command': (
        'import sys; from sod_plugins.cli import main; '
        f'assert main(sys.argv[1:]) == 0; assert "torch" not in sys.modules; {KEPT}'
    ),
    'an engine': (
        'from sod_plugins.inference.engines import require_engine; '
        f'require_engine("onnxruntime.capi", "export"); {KEPT}'
    ),
    'the examination': (
        'from sod_plugins.cli.doctor.probe import import_all; import_all(["onnxruntime"])'
    ),
}


def stored(folder, code, *arguments, **environ):
    """Run code that finds nothing in its environment, and return what it stored at home."""
    home = folder / 'home'
    home.mkdir()
    subprocess.run(
        [sys.executable, '-c', f'import sys; sys.path[:] = {sys.path!r}; {code}', *arguments],
        env={'HOME': str(home), **environ},
        check=True,
    )
    return [path for path in home.rglob('*') if path.is_file()]


@pytest.fixture(scope='module')
def telemetry(tmp_path_factory):
    if not stored(tmp_path_factory.mktemp('plain'), 'import onnxruntime'):
        pytest.skip('this ONNX Runtime stores nothing')


@pytest.mark.parametrize('way', WAYS)
def test_it_reports_nothing(way, telemetry, tmp_path):
    Image.fromarray(draw_scene(np.random.default_rng(3), (60, 80)).image).save(tmp_path / 'a.jpg')
    words = ('predict', str(tmp_path / 'a.jpg'), '-o', str(tmp_path / 'out'), '--device', 'cpu')
    assert stored(tmp_path, WAYS[way], *words) == []


def test_the_word_of_the_user_counts(telemetry, tmp_path):
    assert stored(tmp_path, WAYS['an engine'].replace(KEPT, ''), **{TELEMETRY_OFF: '0'})
