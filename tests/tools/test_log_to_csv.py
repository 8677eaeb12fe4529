from __future__ import annotations

import json

import pytest
from reference_values import load_tool

tool = load_tool('analysis_tools/log_to_csv.py')


def write_log(work_dir, time, *rows):
    """Write what mmengine logs: lines of training and lines of validation."""
    log = work_dir / time / 'vis_data/scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('\n'.join(map(json.dumps, rows)))


def trained(iteration, loss):
    return {'lr': 1e-4, 'loss': loss, 'decode.loss_r5': loss / 2, 'time': 1.0, 'iter': iteration}


def test_parts_and_stages_make_one_table(tmp_path):
    write_log(tmp_path / 'a', '20260101_000000', trained(50, 0.5), trained(100, 0.4))
    # Killed after 100, gone on from the checkpoint of 50: what was repeated is replaced.
    write_log(tmp_path / 'a', '20260101_010000', trained(100, 0.3), {'saliency/mae': 0.1234567})
    write_log(tmp_path / 'a', '20260101_020000')
    write_log(tmp_path / 'b', '20260102_000000', trained(50, 0.2))
    tool.main([str(tmp_path / 'a'), str(tmp_path / 'b'), '-o', str(tmp_path / 'out/log.csv')])
    assert (tmp_path / 'out/log.csv').read_text() == (
        'stage,iteration,lr,loss,decode.loss_r5,saliency/mae\n'
        '1,50,0.0001,0.5,0.25,\n'
        '1,100,0.0001,0.3,0.15,0.12346\n'
        '2,50,0.0001,0.2,0.1,\n'
    )


def test_missing_and_damaged_logs_are_named(tmp_path, capsys):
    with pytest.raises(SystemExit, match='2'):
        tool.main([str(tmp_path), '-o', str(tmp_path / 'log.csv')])
    assert 'has no log' in capsys.readouterr().err
    write_log(tmp_path, '20260101_000000', trained(50, 0.5), 'half a line')
    with pytest.raises(SystemExit, match='2'):
        tool.main([str(tmp_path), '-o', str(tmp_path / 'log.csv')])
    assert 'Line 2 of' in capsys.readouterr().err
