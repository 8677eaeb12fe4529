"""The main job on a toy scale, in the environment of the tests."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]

SHORT = """
_base_ = ['{config}']
train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=4, val_interval=4)
train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0)
"""


@pytest.fixture
def quickstart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The module, with its training cut to four steps."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    import quickstart

    config = tmp_path / 'short.py'
    config.write_text(SHORT.format(config=ROOT / quickstart.CONFIG), 'utf-8')
    monkeypatch.setattr(quickstart, 'CONFIG', str(config))
    return quickstart


@pytest.mark.host
@pytest.mark.slow
def test_main_job(quickstart, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    environ = {**os.environ, 'OMP_NUM_THREADS': '1'}  # threads that wait for cores take minutes
    python = SimpleNamespace(python=Path(sys.executable), environ=environ)
    steps = quickstart.Steps(tmp_path / 'logs')
    run = quickstart.Quickstart(python, steps, tmp_path / 'data', tmp_path / 'work')
    run.generate(20)
    run.train()
    run.test()
    run.report()
    run.conclude()

    results = tmp_path / 'work' / 'results'
    stems = {path.stem for path in (tmp_path / 'data' / 'test' / 'images').iterdir()}
    assert len(stems) == 4
    assert {path.stem for path in (results / 'maps').iterdir()} == stems
    assert {path.stem for path in (results / 'overlays').iterdir()} == stems
    assert (results / 'curves.png').stat().st_size > 0
    assert (results / 'csnet.pth').is_file()
    report = (results / 'report.html').read_text('utf-8')
    assert 'http' not in report.replace('http://www.w3.org', ''), 'the report needs a network'
    measures = json.loads((results / 'measures.json').read_text('utf-8'))
    said = capsys.readouterr().out
    assert f'max F {measures["max_f"]:.3f}' in said
    assert str(results / 'report.html') in said
