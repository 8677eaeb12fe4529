"""Which host a command line is for, known before any host is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sod_plugins.cli.train_test import config_word, is_detectron2_config

ROOT = Path(__file__).parents[2]
STEM = 'csnet-x1_1xb24-300e_duts-224x224'
HOSTS = ('detectron2', 'mmengine', 'mmcv', 'mmseg', 'mmdet', 'torch')


@pytest.mark.parametrize(
    ('words', 'config'),
    [
        (['CONFIG'], 'CONFIG'),
        (['--resume', 'CONFIG'], 'CONFIG'),  # detectron2's takes no checkpoint
        (['--resume', 'latest.pth', 'CONFIG'], 'CONFIG'),
        (['CONFIG', 'model.pth', '--out', 'x.yaml'], 'CONFIG'),
        (['--work-dir', 'x.yaml', '--amp', 'CONFIG', '--cfg-options', 'a=b.yaml'], 'CONFIG'),
        (['--work-dir=x.yaml', '--import', 'mine.py', 'CONFIG'], 'CONFIG'),
        (['--num-gpus', '2', 'CONFIG', '--launcher', 'pytorch'], 'CONFIG'),
        (['--help'], None),
        ([], None),
    ],
)
def test_the_config_of_a_command_line(words, config):
    assert config_word(words)[0] == config


def test_options_of_neither_host_leave_it_open():
    assert config_word(['--amp', 'CONFIG']) == ('CONFIG', True)
    assert config_word(['--workdir', 'x', 'CONFIG'])[1] is False


def test_kinds_of_configs(tmp_path):
    folder = ROOT / 'configs/detectron2'
    for word in (f'{folder / STEM}.yaml', f'{folder / STEM}.py', f'detectron2/{STEM}'):
        assert is_detectron2_config(word), word
    for word in (STEM, f'csnet/{STEM}', 'none.py', f'{ROOT}/configs/csnet/{STEM}.py'):
        assert not is_detectron2_config(word), word


@pytest.mark.parametrize('command', [['-m', 'sod_plugins.cli', 'train'], ['tools/train.py']])
@pytest.mark.parametrize(
    ('name', 'content', 'reason'),
    [
        ('nope.py', None, "There is no config 'nope.py': name a file, or one that sod configs"),
        ('nope.yaml', None, "There is no config 'nope.yaml': name a file, or one that sod configs"),
        (f'{STEM}4', None, f"Did you mean '{STEM}', 'csnet-x1"),
        (f'detectron2/{STEM}.yml', None, f"Did you mean 'detectron2/{STEM}.yaml', 'detectron2/"),
        ('folder', 'folder', "The config 'folder' is a folder: name a file, or one that sod"),
        ('empty.py', '\n', "The config 'empty.py' is empty."),
        ('empty.yaml', '', "The config 'empty.yaml' is empty."),
        ('other.yaml', 'title: a page\n', "The config 'other.yaml' is for neither host: yaml"),
        ('binary.py', b'\xff\xfe\xff', 'UTF-8'),
    ],
)
def test_what_is_no_config_is_one_sentence_without_any_host(
    command, name, content, reason, tmp_path
):
    """Nothing that takes seconds is imported, so that neither host needs to be installed."""
    if content == 'folder':
        (tmp_path / name).mkdir()
    elif isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    elif content is not None:
        (tmp_path / name).write_text(content)
    words = [str(ROOT / command[0]) if command[0].startswith('tools') else command[0]]
    code = f"""
import runpy, sys
sys.modules.update(dict.fromkeys({HOSTS!r}))
words = {[*words, *command[1:], name]!r}
if words[0] == '-m':
    sys.argv = words[1:]
    runpy.run_module(words[1], run_name='__main__')
else:
    sys.argv = words
    runpy.run_path(words[0], run_name='__main__')
"""
    done = subprocess.run(
        [sys.executable, '-c', code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
    )
    assert done.returncode == 2, done.stderr
    (error,) = done.stderr.strip().splitlines()
    assert error.startswith(('sod train: error: ', 'train.py: error: ')) and reason in error, error
