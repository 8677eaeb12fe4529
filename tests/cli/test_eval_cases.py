"""``sod eval`` and ``sod report`` on the kinds of files that people had, as they had them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shared_data import shared_file

from sod_plugins.cli import main

pytestmark = pytest.mark.shared_data


def evaluate(capsys, folder: Path, *words: str) -> tuple[int, dict[str, float], str]:
    """Run the command on paths below a folder; return its status, its JSON and its errors."""
    paths = [str(folder / word) if (folder / word).exists() else word for word in words]
    capsys.readouterr()
    status = main(['eval', *paths, '--json', '-'])
    output = capsys.readouterr()
    return status, json.loads(output.out) if output.out else {}, output.err


@pytest.mark.parametrize('coding', ['p01', 'p16'])
def test_perfect_maps_score_so_however_they_are_coded(capsys, coding):
    folder = shared_file('cases/coded-predictions')
    status, found, _ = evaluate(capsys, folder, coding, 'gt', '--protocol', 'salmetric')
    assert (status, found['count'], found['mae']) == (0, 2, 0)
    assert found['mean_f'] > 0.99


@pytest.mark.parametrize('kind', ['c', 'g', 'n'])
def test_grey_jpeg_may_have_some_chroma(capsys, kind):
    status, found, _ = evaluate(capsys, shared_file('cases/jpeg-predictions'), kind, 'gt')
    assert (status, found['count']) == (0, 2)
    assert found['mae'] < 0.006


@pytest.mark.parametrize(('kind', 'suffix'), [('suf', '_sal'), ('dbl', '.jpg')])
def test_the_message_proposes_what_pairs_the_names(capsys, kind, suffix):
    folder = shared_file('cases/names-with-suffix')
    status, _, errors = evaluate(capsys, folder, kind, 'gt')
    assert status == 2
    assert f"give --pred-suffix '{suffix}'" in errors
    status, found, _ = evaluate(capsys, folder, kind, 'gt', '--pred-suffix', suffix)
    assert (status, found['count']) == (0, 2)


def test_what_can_be_trained_on_can_be_scored_and_reported(capsys, tmp_path):
    folder = shared_file('cases/photos-and-masks-together')
    data, page = 'DUT/DUT-RGBD', tmp_path / 'page.html'
    for words in (('--list', 'DUT/train.txt'), ('--mask-suffix', '_gt')):
        status, found, _ = evaluate(capsys, folder, 'maps2', data, *words)
        assert (status, found['count']) == (0, 2)
        words = [str(folder / word) if (folder / word).exists() else word for word in words]
        words += ['-o', str(page)]
        assert main(['data', 'check', str(folder / data), *words[:2]]) == 0
        assert main(['report', str(folder / 'maps2'), '--data', str(folder / data), *words]) == 0
    for words in ((), ('--list', str(folder / 'MSRA10K' / 'list.txt'))):
        assert main(['data', 'check', str(folder / 'MSRA10K'), *words]) == 0
    assert 'pairs             2' in capsys.readouterr().out


@pytest.mark.parametrize('name', ['bom', 'back', 'utf16', 'crlf', 'pairs'])
def test_lists_from_windows_are_read(capsys, name):
    folder = shared_file('cases/windows-lists')
    status, found, _ = evaluate(capsys, folder, 'p', 'data/masks', '--list', f'{name}.txt')
    assert (status, found['count']) == (0, 2)


def test_composed_and_decomposed_names_pair(capsys):
    status, found, _ = evaluate(capsys, shared_file('cases/unicode-names'), 'p', 'data/masks')
    assert (status, found['count']) == (0, 1)
