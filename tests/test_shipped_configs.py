"""Configs of this package are found by their names, and inherited by those of users."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from host_scripts import host_script, run

from sod_plugins import configs
from sod_plugins.cli import main

ROOT = Path(__file__).resolve().parents[1]
NAME = 'csnet-x1_1xb16-450i_synthetic-64x64'


def test_every_config_has_a_name_of_its_own(capsys):
    assert main(['configs']) == 0
    names = capsys.readouterr().out.splitlines()
    folders = [path for path in (ROOT / 'configs').iterdir() if path.name != '_base_']
    files = {f'{folder.name}/{path.stem}' for folder in folders for path in folder.glob('*.py')}
    files |= {f'{path.parent.name}/{path.name}' for path in ROOT.glob('configs/*/*.yaml')}
    assert set(names) == files
    # Those of detectron2 are called as their twins of OpenMMLab are, behind the folder's name.
    own = [name for name in names if not name.startswith('detectron2/')]
    assert len({name.partition('/')[2] for name in own}) == len(own) < len(names)
    for name in names:
        assert Path(configs.config_path(name)).is_file()
    for name in own:
        assert configs.config_path(name.partition('/')[2]) == configs.config_path(name)


@pytest.mark.parametrize('name', [NAME, f'{NAME}.py', f'csnet/{NAME}', f'csnet/{NAME}.py'])
def test_a_config_is_found_by_its_name(name, capsys):
    assert main(['configs', name]) == 0
    assert capsys.readouterr().out.splitlines() == [str(ROOT / 'configs/csnet' / f'{NAME}.py')]


@pytest.mark.parametrize('name', [NAME, f'csnet/{NAME}', ROOT / 'configs/csnet' / f'{NAME}.py'])
def test_a_name_with_or_without_its_folder_stands_for_a_file(name):
    assert configs.find_config(name) == ROOT / 'configs/csnet' / f'{NAME}.py'


def test_a_misspelt_name_gets_the_nearest_ones(capsys):
    assert main(['configs', NAME.replace('450i', '45i')]) == 2
    assert f"Did you mean '{NAME}'" in capsys.readouterr().err


def test_an_installed_package_has_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(configs, '_PACKAGE', tmp_path / 'sod_plugins')
    with pytest.raises(FileNotFoundError, match='Install the package again'):
        configs.list_configs()
    shutil.copytree(ROOT / 'configs/samnet', tmp_path / 'sod_plugins/.mim/configs/samnet')
    (tmp_path / 'sod_plugins/.mim/configs/_base_').mkdir()
    assert {name.partition('/')[0] for name in configs.list_configs()} == {'samnet'}


def test_a_config_inherits_by_name_in_scripts_of_the_hosts(tmp_path):
    """The line is what the docs show; mmseg's script imports nothing of this package."""
    pytest.importorskip('mmseg')
    docs = (ROOT / 'docs/hosts.md').read_text('utf-8')
    line = re.search(r'^_base_ = .*$', docs, re.MULTILINE).group()
    (tmp_path / 'mine.py').write_text(f'{line}\ntrain_cfg = dict(max_epochs=7)\n')
    words = [tmp_path / 'mine.py', '--cfg-options', 'model.backbone.width=2.0']
    printed = run(host_script('mmseg', 'misc/print_config.py'), *words, cwd=tmp_path)
    assert re.search(r"backbone=dict\([^)]*type='sod_plugins.CSNet', width=2.0\)", printed)
    assert re.search(r'train_cfg = dict\([^)]*max_\w+=7', printed)
