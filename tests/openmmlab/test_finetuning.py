from __future__ import annotations

import json

import pytest
import torch
from PIL import Image

pytest.importorskip('mmseg')

from sod_plugins import zoo
from sod_plugins.cli import main
from sod_plugins.data import generate_scenes
from sod_plugins.inference import predict_files
from sod_plugins.metrics import evaluate_folders
from sod_plugins.networks import load_network
from sod_plugins.openmmlab import finetuning
from sod_plugins.openmmlab.finetuning import finetune

QUICK = dict(iterations=4, held_back=3, batch_size=2, size=(128, 128), workers=0)


@pytest.fixture(scope='module')
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp('scenes')
    generate_scenes(folder, 8, size=(120, 160))
    return folder


@pytest.fixture(scope='module')
def tuned(scenes, tmp_path_factory):
    out = tmp_path_factory.mktemp('tuned')
    return finetune(scenes, out, **QUICK), out


def test_it_begins_with_the_model_and_changes_it(tuned):
    result, _ = tuned
    network, model = load_network(result.checkpoint), zoo.load('sod-small')
    assert network.arguments == model.arguments
    assert network.preprocessing.size == (128, 128)
    assert network.preprocessing.mean == model.preprocessing.mean
    distances = [
        float((weight - old).detach().abs().max() / old.detach().abs().max())
        for weight, old in zip(network.parameters(), model.parameters(), strict=True)
        if old.numel() > 1000
    ]
    assert 0 < max(distances) < 0.1  # Adam moves a weight by its rate a step, so little in four


def test_its_measures_are_those_of_the_maps_that_it_predicts(tuned, scenes, tmp_path):
    result, out = tuned
    held_back = (out / 'val.txt').read_text().split()
    assert len(held_back) == 3
    photos = [path for path in (scenes / 'images').iterdir() if path.stem in held_back]
    predict_files(photos, tmp_path / 'maps', load_network(result.checkpoint))
    scores = evaluate_folders(
        tmp_path / 'maps', scenes / 'masks', protocol='salmetric', list_file=out / 'val.txt'
    )
    for key in ('max_f', 'mae'):
        assert result.after[key] == pytest.approx(scores.measures[key], abs=2e-3)
    saved = json.loads((out / 'measures.json').read_text())
    assert saved == {'before': result.before, 'after': result.after}
    assert result.before != result.after


def test_no_image_trains_and_measures(tuned, scenes):
    train, val = ((tuned[1] / f'{name}.txt').read_text().split() for name in ('train', 'val'))
    stems = sorted(path.stem for path in (scenes / 'images').iterdir())
    assert sorted(train + val) == stems


def test_an_interrupted_run_goes_on_to_the_same_weights(tuned, scenes, tmp_path, monkeypatch):
    train = finetuning.train

    def interrupt(config, **arguments):
        train(config, **arguments, options={'train_cfg.max_iters': 2})
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, 'train', interrupt)
        with pytest.raises(KeyboardInterrupt):
            finetune(scenes, tmp_path / 'out', **QUICK)
    assert not (tmp_path / 'out/model.pth').exists()
    result = finetune(scenes, tmp_path / 'out', **QUICK)
    assert result.before == tuned[0].before
    expected = load_network(tuned[0].checkpoint).state_dict()
    for name, weight in load_network(result.checkpoint).state_dict().items():
        assert torch.equal(weight, expected[name]), name


def test_other_arguments_do_not_go_on_with_a_run(tuned, scenes):
    with pytest.raises(ValueError, match=r'of a fine-tuning with other data or arguments'):
        finetune(scenes, tuned[1], **{**QUICK, 'seed': 1})


def test_the_command_says_what_it_reached(scenes, tmp_path, capsys):
    words = ['--iterations', 2, '--held-back', 2, '--batch-size', 2, '--workers', 0]
    words += ['--size', 64, 64, '-o', tmp_path / 'out']
    assert main(['finetune', str(scenes), *map(str, words)]) == 0
    printed = capsys.readouterr().out
    assert 'Iter(val)' in printed  # the host's log
    measures = json.loads((tmp_path / 'out/measures.json').read_text())
    assert f'MAE         {measures["before"]["mae"]:.4f}  {measures["after"]["mae"]:.4f}' in printed
    photo = next((scenes / 'images').iterdir())
    words = [photo, '-o', tmp_path / 'maps', '--checkpoint', tmp_path / 'out/model.pth']
    assert main(['predict', *map(str, words)]) == 0
    with Image.open(tmp_path / 'maps' / f'{photo.stem}.png') as saliency:
        assert saliency.size == (160, 120)
    words = ['--iterations', 2, '--held-back', 2, '--batch-size', 2, '--workers', 0, '--quiet']
    words += ['--size', 64, 64, '-o', tmp_path / 'out']
    capsys.readouterr()
    assert main(['finetune', str(scenes), *map(str, words)]) == 0
    assert capsys.readouterr().out == ''


def error_of(capsys, *words):
    assert main(['finetune', *map(str, words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_what_it_cannot_use_is_one_sentence(scenes, tmp_path, capsys):
    """And nothing is written by then."""
    photos = tmp_path / 'photos'
    photos.mkdir()
    Image.new('RGB', (20, 20)).save(photos / 'a.jpg')
    out = tmp_path / 'out'
    assert 'No known layout in' in error_of(capsys, photos, '-o', out)
    assert 'absent' in error_of(capsys, tmp_path / 'absent', '-o', out)
    assert "Did you mean 'sod-small'" in error_of(capsys, scenes, '-o', out, '--model', 'sod-smal')
    assert 'cannot be fine-tuned here' in error_of(
        capsys, scenes, '-o', out, '--model', 'csnet-L-x1'
    )
    assert 'cannot be held back' in error_of(capsys, scenes, '-o', out, '--held-back', 8)
    assert 'is the data set' in error_of(capsys, scenes, '-o', scenes)
    for option, value in (('--iterations', 1), ('--batch-size', 1), ('--learning-rate', 0)):
        assert 'Give' in error_of(capsys, scenes, '-o', out, option, value)
    assert 'seed is -5. Give 0 to' in error_of(capsys, scenes, '-o', out, '--seed', -5)
    for size in ((0, 0), (16, 64), (99999, 99999)):
        assert 'Give a height and a width' in error_of(capsys, scenes, '-o', out, '--size', *size)
    assert not out.exists()


def test_a_folder_with_too_few_images_is_refused(tmp_path):
    generate_scenes(tmp_path / 'few', 3, size=(120, 160))
    with pytest.raises(ValueError, match='has 3 images with masks: give 4 or more'):
        finetune(tmp_path / 'few', tmp_path / 'out')
