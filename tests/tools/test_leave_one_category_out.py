from __future__ import annotations

import csv
from pathlib import Path

import pytest
from PIL import Image
from reference_values import load_tool

pytest.importorskip('mmseg')
pytest.importorskip('matplotlib')

from sod_plugins.data import DataError, generate_scenes
from sod_plugins.metrics import evaluate_folders
from sod_plugins.openmmlab import launch

tool = load_tool('analysis_tools/leave_one_category_out.py')
CONFIG = Path(__file__).parents[2] / 'configs/csnet/csnet-x1_1xb16-450i_synthetic-64x64.py'
TINY = (
    *('model.backbone.width=0.2', 'model.backbone.stage_blocks=(1,1,1,1)'),
    *('model.backbone.weight_scale=1', 'model.decode_head.weight_scale=1'),
    *('model.decode_head.in_channels=(8,16,16)', 'optim_wrapper.optimizer.lr=0.03'),
    *('train_dataloader.num_workers=0', 'train_dataloader.persistent_workers=False'),
    *('test_dataloader.num_workers=0', 'val_dataloader.num_workers=0', 'train_cfg.max_iters=12'),
    *('val_dataloader.persistent_workers=False', 'train_dataloader.batch_size=2'),
)
CATEGORIES = ('cat', 'street sign')


@pytest.fixture
def study(tmp_path):
    """Return the words of a command line over scenes of two categories."""
    options = list(TINY)
    for split, count in (('train', 7), ('test', 5)):
        generate_scenes(tmp_path / split, count, size=(32, 40), split=split)
        stems = sorted(path.stem for path in (tmp_path / split / 'images').iterdir())
        lines = [f'{stem}.jpg,{CATEGORIES[i % 2]}' for i, stem in enumerate(stems[:-1])]
        (tmp_path / f'{split}.csv').write_text('\n'.join(['stem,category', *lines]))
        options.append(f'{split}_dataloader.dataset.data_root={tmp_path / split}')
    options.append(f'val_dataloader.dataset.data_root={tmp_path / "test"}')
    words = [CONFIG, tmp_path / 'train.csv', '--test-categories', tmp_path / 'test.csv']
    words += ['-o', tmp_path / 'out', '--measure', 'mae', '--cfg-options', *options]
    return [*map(str, words)]


def test_changes_by_hand():
    scores = {
        'all': {'all': 0.8, 'a': 0.5, 'b': 0.4},
        'a': {'all': 0.6, 'a': 0.55, 'b': 0.4},
        'b': {'all': 0.72, 'a': 0.5, 'b': 0.1},
    }
    assert list(tool.relative_changes(scores, 'mae')) == ['a', 'b']
    changes = tool.relative_changes(scores, 'max_f')
    assert list(changes) == ['b', 'a']
    assert changes['b'] == pytest.approx({'all': -10, 'a': 0, 'b': -75})
    assert changes['a'] == pytest.approx({'all': -25, 'a': 10, 'b': 0})
    text = tool.format_markdown(changes, 'max_f', 'one run')
    assert '| b | -10.00 | **-75.00** | +0.00 |' in text


def test_from_scenes_to_the_matrix(study, tmp_path, capsys, monkeypatch):
    tool.main(study)
    out = tmp_path / 'out'
    folders = {
        name: out / 'seed0' / (f'without-{name.replace(" ", "-")}' if name != 'all' else name)
        for name in ('all', *CATEGORIES)
    }
    stems = {name: (folder / 'train.txt').read_text().split() for name, folder in folders.items()}
    assert {name: len(listed) for name, listed in stems.items()} == {
        'all': 6,
        'cat': 3,
        'street sign': 3,
    }
    assert sorted(stems['cat'] + stems['street sign']) == stems['all']

    def mae(left_out, tested):
        labels = tool.read_categories(tmp_path / 'test.csv')
        listed = [stem for stem, category in labels.items() if tested in (category, 'all')]
        (tmp_path / 'list.txt').write_text('\n'.join(listed))
        evaluation = evaluate_folders(
            folders[left_out] / 'test' / 'maps',
            tmp_path / 'test' / 'masks',
            protocol='salmetric',
            list_file=tmp_path / 'list.txt',
            progress=False,
        )
        assert evaluation.count == (4 if tested == 'all' else 2)
        return evaluation.measures['mae']

    with (out / 'changes.csv').open() as file:
        rows = {row.pop('trained without'): row for row in csv.DictReader(file)}
    assert set(rows) == set(CATEGORIES)
    for left_out, row in rows.items():
        assert list(row) == ['all', *CATEGORIES]
        for tested, change in row.items():
            expected = 100 * (mae(left_out, tested) / mae('all', tested) - 1)
            assert float(change) == pytest.approx(expected, abs=1e-9)
    assert any(float(change) for row in rows.values() for change in row.values())
    assert (out / 'changes.md').read_text() in capsys.readouterr().out
    with Image.open(out / 'changes.png') as figure:
        assert min(figure.size) > 200

    # The second time only what is not finished runs.
    trained = []

    def train(config, *, work_dir, **kwargs):
        trained.append(work_dir)
        return real(config, work_dir=work_dir, **kwargs)

    real = launch.train
    monkeypatch.setattr(launch, 'train', train)
    before = (out / 'changes.csv').read_text()
    (folders['cat'] / 'scores.json').unlink()
    tool.main(study)
    assert trained == [folders['cat']]
    assert (out / 'changes.csv').read_text() == before
    with pytest.raises(SystemExit, match='holds runs of another config'):
        tool.main([*study, 'train_cfg.max_iters=4'])


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ('a b\n', "Line 1 of .* is no 'stem,category': 'a b'"),
        ('a,x\na.jpg,y\n', "puts 'a' in both x and y"),
    ],
)
def test_broken_categories_are_named(lines, message, tmp_path):
    (tmp_path / 'categories.csv').write_text(lines)
    with pytest.raises(DataError, match=message):
        tool.read_categories(tmp_path / 'categories.csv')


def test_unusable_studies_are_refused_before_training(study, tmp_path):
    test = tmp_path / 'test.csv'
    lines = test.read_text().splitlines()
    for content, extra, message in (
        ([*lines[:3], lines[3].replace('cat', 'dog')], (), 'No train image is of .* dog'),
        (lines[:2], (), 'No test image is of the categories street sign'),
        (lines, ('train_dataloader.batch_size=4',), 'has 3 images, fewer than a batch of 4'),
        (lines, ('train_dataloader.dataset.type=CocoDataset',), "is a 'CocoDataset'"),
    ):
        test.write_text('\n'.join(content))
        with pytest.raises(SystemExit, match=message):
            tool.main([*study, *extra])
    assert not (tmp_path / 'out' / 'seed0').exists()
