from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from sod_plugins.data import generate_scenes
from sod_plugins.openmmlab import launch

pytestmark = pytest.mark.mmdet
ROOT = Path(__file__).resolve().parents[2]
LEAF = ROOT / 'configs/s4net/s4net_efficientnet-lite0_1xb4-300i_synthetic-320x320.py'


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'tools/analysis_tools'))
    import compare_instances

    return compare_instances


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    for split in ('val', 'test'):
        generate_scenes(folder / split, 2, size=(48, 64), split=split)
    return folder


@pytest.fixture
def trained(tmp_path, scenes):
    """Write the config and the checkpoint of a narrow S4Net by its name, seed and test set."""

    def write(name, seed, split='test'):
        cfg = Config.fromfile(LEAF)
        cfg.model.backbone = dict(type='sod_plugins.MobileNet', width=0.25, out_indices=(2, 3, 4))
        cfg.model.neck.update(in_channels=(64, 128, 256), out_channels=32)
        cfg.model.bbox_head.update(in_channels=32, channels=32)
        cfg.model.roi_extractor.update(in_channels=32, out_channels=32)
        cfg.model.mask_head.update(in_channels=32, channels=(16, 8))
        cfg.test_dataloader.dataset.data_root = str(scenes / split)
        cfg.test_dataloader.dataset.pipeline[1].scale = (64, 64)
        config, checkpoint = tmp_path / f'{name}.py', tmp_path / f'{name}.pth'
        cfg.dump(config)
        torch.manual_seed(seed)
        with DefaultScope.overwrite_default_scope('mmdet'):
            torch.save(MODELS.build(cfg.model).state_dict(), checkpoint)
        return f'{name}={config},{checkpoint}'

    return write


def test_measures_are_those_of_a_test(tool, trained, tmp_path, capsys):
    words = [trained('first', 0), trained('second', 1)]
    table = tmp_path / 'new' / 'table.md'
    tool.main([*words, '--json', str(tmp_path / 'all.json'), '--markdown', str(table)])
    record = json.loads((tmp_path / 'all.json').read_text())
    assert [row['name'] for row in record['models']] == ['first', 'second']
    assert record['images'].startswith('2 of ')
    for row in record['models']:
        config, checkpoint = (tmp_path / f'{row["name"]}{suffix}' for suffix in ('.py', '.pth'))
        tested = launch.test(config, checkpoint, work_dir=tmp_path / 'work')
        expected = {k.removeprefix('instances/'): v for k, v in tested.items()}
        assert row['measures'] == pytest.approx(expected)
        assert row['images_per_second'] > 0
    assert record['models'][0]['measures'] != record['models'][1]['measures']
    assert table.read_text() in capsys.readouterr().out
    assert '| model | mAP | AP50 | AP70 |' in table.read_text()


def test_wrong_words_are_named(tool, trained):
    first = trained('first', 0)
    for words, message in (
        (['first=only.py'], "'first=only.py' is not of the form NAME=CONFIG,CHECKPOINT"),
        ([first, first], 'Several models are called first'),
        ([first, trained('other', 0, 'val')], 'The configs test on different annotations'),
        ([f'first={LEAF},absent.pth'], r"no checkpoint 'absent\.pth'"),
    ):
        with pytest.raises(SystemExit, match=message):
            tool.main(words)
