"""Absurd arguments are used or refused in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.cli import main

VALUES = ('', 'pipe', 'zero', 'loop', 'x' * 300, '9' * 400, '1e999', '../..', '-1', 'nan')
WORDS = {
    'eval': ['eval', 'maps', 'masks'],
    'instances': ['data', 'instances', '.', '--label-format', 'masks', '-o', 'out.json'],
    'predict': ['predict', 'images', '-o', 'out', '--mask', '--cutout', '--overlay', '-q'],
    'serve': ['serve'],
    'models': ['models'],
}
OPTIONS = {
    'eval': (
        *('protocol', 'measures', 'list', 'pred-prefix', 'pred-suffix', 'mask-prefix'),
        *('mask-suffix', 'exif', 'method', 'curves', 'workers', 'json', 'per-image', 'csv'),
        *('markdown', 'latex'),
    ),
    'predict': (
        *('out-dir', 'model', 'checkpoint', 'format', 'quality', 'background', 'threshold'),
        *('grow', 'suffix', 'exif', 'shard', 'workers', 'batch', 'device', 'backend', 'import'),
    ),
    'serve': (
        *('model', 'checkpoint', 'device', 'backend', 'cors', 'max-mb', 'max-megapixels'),
        *('max-queue', 'time-limit', 'batch-size', 'workers', 'log-level', 'import'),
    ),
    'models': ('task', 'metafile', 'import'),
    'instances': ('image-dir', 'label-dir', 'list', 'min-area', 'seed', 'label-format', 'out'),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    mask = (pixels[..., 0] > 99).astype(np.uint8) * 255
    for name, content in (('images/a.jpg', pixels), ('maps/a.png', mask), ('masks/a.png', mask)):
        (tmp_path / name).parent.mkdir()
        Image.fromarray(content).save(tmp_path / name)
    os.mkfifo('pipe')
    Path('zero').symlink_to('/dev/zero')
    Path('loop').symlink_to('loop')


@pytest.mark.usefixtures('folder')
@pytest.mark.parametrize('verb', WORDS)
def test_absurd_values_are_used_or_refused_in_a_sentence(verb, capsys, monkeypatch):
    pytest.importorskip('matplotlib')
    if verb == 'serve':
        pytest.importorskip('fastapi')
        monkeypatch.setattr('sod_plugins.serve.serve', lambda *arguments: None)
    for option in OPTIONS[verb]:
        for value in VALUES:
            check([*WORDS[verb], f'--{option}={value}'], capsys)


@pytest.mark.usefixtures('folder')
@pytest.mark.parametrize(
    'words', ['predict -o out', 'models', 'merge', 'completion', 'configs', 'complexity', 'extract']
)
def test_absurd_words_are_used_or_refused_in_a_sentence(words, capsys):
    for value in VALUES:
        check([*words.split(), value], capsys)


def check(words, capsys):
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    errors = capsys.readouterr().err
    assert status in (0, 1, 2), words
    assert '[Errno' not in errors and 'Traceback' not in errors, words
    if status:
        *_, last = errors.removesuffix('\n').split('\n')
        assert last.startswith('sod') and errors.count(' error: ') == 1, words
