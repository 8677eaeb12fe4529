from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from PIL import Image
from reference_values import load_tool

tool = load_tool('analysis_tools/mae_per_epoch.py')


def write_log(work_dir, time, *rows):
    """Write what mmengine logs: lines of training and lines of validation."""
    log = work_dir / time / 'vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(map(json.dumps, rows)))
    return log


def trained(iteration):
    return {'lr': 1e-4, 'loss': 0.5, 'iter': iteration, 'step': iteration}


def validated(mae, epoch=0):
    return {'saliency/max_f': 0.8, 'saliency/mae': mae, 'step': epoch}


@pytest.fixture
def by_epoch(tmp_path):
    """Two trainings of three epochs; one lacks the last."""
    for name, maes in (('with', (0.3, 0.1, 0.2)), ('without', (0.4, 0.25))):
        rows = [
            row
            for epoch, mae in enumerate(maes, 1)
            for row in (trained(50 * epoch), validated(mae, epoch))
        ]
        write_log(tmp_path / name, '20260101_000000', *rows)
    return tmp_path / 'with', tmp_path / 'without'


def test_table_and_figure(by_epoch, tmp_path, capsys):
    pytest.importorskip('matplotlib')
    run, other = by_epoch
    tool.main([f'dynamic decay={run}', str(other), '-o', str(tmp_path / 'out/mae.png')])
    assert capsys.readouterr().out.splitlines() == [
        '| epoch | dynamic decay | without |',
        '|---:|---:|---:|',
        '| 1 | 0.3000 | 0.4000 |',
        '| 2 | **0.1000** | **0.2500** |',
        '| 3 | 0.2000 | - |',
    ]
    with Image.open(tmp_path / 'out/mae.png') as figure:
        assert np.asarray(figure.convert('L')).std() > 15
    runs = {name: tool.read_run(tmp_path / name) for name in ('with', 'without')}
    lines = tool.draw(runs).axes[0].lines
    assert [line.get_xydata().tolist() for line in lines] == [
        [[1, 0.3], [2, 0.1], [3, 0.2]],
        [[1, 0.4], [2, 0.25]],
    ]


def test_a_resumed_run_replaces_what_it_repeats(tmp_path):
    """Interrupted behind iteration 350, with half a line, and resumed from 200."""
    rows = [trained(100), validated(0.4), trained(200), validated(0.3), trained(300)]
    log = write_log(tmp_path, '20260101_000000', *rows, validated(0.2))
    log.write_text(log.read_text() + '\n{"lr": 1e')
    write_log(tmp_path, '20260101_000001')  # stopped before its first line
    write_log(
        tmp_path, '20260102_000000', trained(300), validated(0.25), trained(400), trained(500)
    )
    assert tool.read_run(tmp_path) == ('iteration', {100: 0.4, 200: 0.3, 300: 0.25})


def test_bad_input_is_one_sentence(by_epoch, tmp_path):
    def error(*words):
        with pytest.raises(SystemExit) as stop:
            tool.main([str(word) for word in words])
        return stop.value.code

    assert 'name a work folder' in error(tmp_path / 'missing')
    write_log(tmp_path / 'never', '20260101_000000', trained(50))
    assert 'was never validated' in error(tmp_path / 'never')
    log = write_log(tmp_path / 'damaged', '20260101_000000', trained(50), validated(0.2))
    log.write_text('{"lr": 1e\n' + log.read_text())
    assert "line 1 of '" in error(tmp_path / 'damaged')
    write_log(tmp_path / 'iterations', '20260101_000000', trained(50), validated(0.2))
    assert 'some runs count epochs' in error(by_epoch[0], tmp_path / 'iterations')
    assert 'each by another NAME' in error(by_epoch[0], by_epoch[0])


def test_figures_need_matplotlib_and_say_so(by_epoch, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(by_epoch[0]), '-o', str(tmp_path / 'out/mae.png')])
    assert "pip install 'sod-plugins[report]'" in stop.value.code
    assert not (tmp_path / 'out').exists()
