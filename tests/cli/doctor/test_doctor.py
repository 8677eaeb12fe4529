"""The whole command, in sound and in broken environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sod_plugins.cli import main
from sod_plugins.cli.doctor import examination
from sod_plugins.cli.doctor.finding import Finding

FINE = Finding('Python', 'Python', 'ok', '3.11')
ODD = Finding('packages', 'OpenCV', 'note', 'two of them', 'Mind them.')
WRONG = Finding('models', 'sod-small', 'problem', 'truncated', 'Install it again.')


@pytest.mark.parametrize(
    ('words', 'findings', 'status', 'output'),
    [
        ([], [FINE, ODD], 0, ['Python', '  ok      Python', 'packages', '  note    OpenCV']),
        (['--quiet'], [FINE, ODD], 0, []),
        (['--quiet'], [FINE, WRONG], 1, ['  problem sod-small']),
    ],
)
def test_status_and_text(capsys, monkeypatch, words, findings, status, output):
    monkeypatch.setattr(examination, 'examine', lambda: iter(findings))
    assert main(['doctor', *words]) == status
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in output if not any(text.startswith(line) for text in lines)] == []
    assert ('nothing is wrong' in lines) == (status == 0 and not words)
    assert ('1 problem found' in lines) == (status == 1)
    assert len(lines) == {(): 6, (0,): 0, (1,): 3}[() if not words else (status,)]


def test_json_is_one_document(capsys, monkeypatch):
    monkeypatch.setattr(examination, 'examine', lambda: iter([FINE, WRONG]))
    assert main(['doctor', '--json']) == 1
    document = json.loads(capsys.readouterr().out)
    assert document['healthy'] is False
    assert document['findings'][1] == {
        'section': 'models',
        'name': 'sod-small',
        'status': 'problem',
        'value': 'truncated',
        'advice': 'Install it again.',
    }


def examine(words, **environ):
    """Run the command in a process of its own; return its status and the problems."""
    done = subprocess.run(
        [sys.executable, *words, 'doctor', '--json'],
        capture_output=True,
        text=True,
        env={**os.environ, **environ},
        check=False,
    )
    document = json.loads(done.stdout)
    assert document['healthy'] == (done.returncode == 0)
    findings = document['findings']
    wrong = {(f['section'], f['name']) for f in findings if f['status'] == 'problem'}
    return done.returncode, wrong


@pytest.mark.host
@pytest.mark.slow
def test_nothing_is_wrong_where_the_tests_run():
    assert examine(['-m', 'sod_plugins.cli']) == (0, set())


@pytest.mark.host
def test_an_environment_with_several_faults(tmp_path):
    """An engine that does not import, mmcv of both lines, and a cache folder that is a file."""
    (tmp_path / 'onnxruntime.py').write_text('raise ImportError("no such instruction")')
    for name in ('mmcv', 'onedl_mmcv'):
        info = tmp_path / f'{name}-9.9.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n')
    (tmp_path / 'file').touch()
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r}); from sod_plugins.cli import main; '
    status, faults = examine(
        ['-c', f'{code} sys.exit(main(sys.argv[1:]))'], XDG_CACHE_HOME=str(tmp_path / 'file')
    )
    assert status == 1
    assert faults == {
        ('hosts', 'line'),
        ('folders', 'downloads'),
        ('predictions', 'onnxruntime'),
    }
