from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics

from sod_plugins.inference import SaliencyPredictor
from sod_plugins.metrics import evaluate_folders
from sod_plugins.networks import ITDBU, CSNet, Preprocessing, save_network

TOOLS = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
# Tab. 3 for three levels and two iterations: S3 begins, and S1 is never estimated bottom-up.
NAMES = [
    *(f'n1_top_down_s{level}.png' for level in (3, 2, 1)),
    *(f'n1_bottom_up_s{level}.png' for level in (2, 3)),
    *(f'n2_top_down_s{level}.png' for level in (2, 1)),
]


@pytest.fixture
def tool(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLS))
    import itdbu_iterations

    return itdbu_iterations


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    backbone = {'type': 'VGG', 'depth': 11, 'width': 0.125, 'out_indices': (0, 1, 2)}
    arguments = {'unify_channels': 8, 'unify_norm': False, 'hidden_channels': 4}
    network = ITDBU(backbone, iterations=2, **arguments)
    with torch.no_grad():  # fresh weights hardly tell the passes apart
        for parameter in network.decode_head.parameters():
            parameter.mul_(4)
    save_network(tmp_path / 'itdbu.pth', network, Preprocessing(size=(32, 48)))
    return tmp_path / 'itdbu.pth'


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
    for stem in 'abc':
        pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'images/{stem}.png')
        Image.fromarray(pixels[..., 0] // 128 * np.uint8(255)).save(tmp_path / f'masks/{stem}.png')
    (tmp_path / 'some.txt').write_text('a\nc\n')
    return tmp_path


def test_maps_and_figures_are_saved(tool, checkpoint, data):
    pytest.importorskip('matplotlib')
    out = data / 'views'
    tool.main([str(word) for word in (checkpoint, data / 'images', '-o', out, '--device', 'cpu')])
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == [
        f'{stem}.png' for stem in 'abc'
    ]
    assert sorted(path.name for path in (out / 'b').iterdir()) == sorted(NAMES)
    predictor = SaliencyPredictor(checkpoint, 'cpu')
    levels = np.floor(predictor.predict(data / 'images/b.png') * np.float32(255))
    with Image.open(out / 'b' / NAMES[-1]) as last:
        np.testing.assert_array_equal(np.asarray(last), levels)
    with Image.open(out / 'b.png') as figure:
        pixels = np.asarray(figure.convert('L'))
    assert pixels.shape[1] > 4 * 110  # photo and three passes, of 1.6 inch
    assert pixels.std() > 20


def test_the_table_has_the_error_of_every_side_output(tool, checkpoint, data, capsys):
    words = [checkpoint, data / 'images', '--masks', data / 'masks', '--list', data / 'some.txt']
    tool.main([*map(str, words), '--device', 'cpu'])
    title, _, *table = capsys.readouterr().out.splitlines()
    assert title == '2 images'
    cells = [[cell.strip() for cell in line.strip('|').split('|')] for line in table]
    assert cells[0] == ['MAE', 'n = 1 top-down', 'n = 1 bottom-up', 'n = 2 top-down']
    assert [row[0] for row in cells[2:]] == ['S3', 'S2', 'S1']
    assert cells[2][3] == cells[4][2] == '-'

    predictor = SaliencyPredictor(checkpoint, 'cpu')
    for stem in 'ac':
        saliency = predictor.predict(data / f'images/{stem}.png')
        (data / 'maps').mkdir(exist_ok=True)
        Image.fromarray((saliency * 255).astype(np.uint8)).save(data / f'maps/{stem}.png')
    evaluation = evaluate_folders(
        data / 'maps', data / 'masks', protocol='salmetric', list_file=data / 'some.txt'
    )
    assert cells[4][3] == f'{evaluation.measures["mae"]:.4f}'
    assert len({cell for row in cells[2:] for cell in row[1:]} - {'-'}) == 7  # all differ


def test_errors_are_means_over_the_images(tool):
    spots = [tool.Spot(tool.Pass(1, 'top_down'), level) for level in (2, 1)]
    mask = np.array([[0, 1]], np.float32)
    maps = dict(zip(spots, np.array([[[0, 255]], [[51, 102]]], np.uint8), strict=True))
    errors = tool.mean_absolute_errors(maps, mask)
    assert errors == pytest.approx(dict(zip(spots, (0, (0.2 + 0.6) / 2), strict=True)))
    table = tool.format_table([errors, dict.fromkeys(spots, 1.0)])
    assert table.splitlines()[2:] == ['| S2 | 0.5000 |', '| S1 | 0.7000 |']


def test_bad_input_is_one_sentence(tool, checkpoint, data, tmp_path):
    def error(*words):
        with pytest.raises(SystemExit) as stop:
            tool.main([str(word) for word in words])
        return stop.value.code

    images, masks = data / 'images', data / 'masks'
    assert 'name -o, --masks or both' in error(checkpoint, images)
    (masks / 'b.png').unlink()
    assert 'has no masks for' in error(checkpoint, images, '--masks', masks)
    Image.new('L', (4, 4)).save(masks / 'b.png')
    assert 'differ in size' in error(checkpoint, images, '--masks', masks)
    (data / 'some.txt').write_text('a\nz\n')
    assert 'not there: z' in error(
        checkpoint, images, '--masks', masks, '--list', data / 'some.txt'
    )
    network = CSNet()
    settle_statistics(network, torch.randn(2, 3, 32, 48))
    save_network(tmp_path / 'csnet.pth', network)
    assert "csnet.pth' is a CSNet, not an ITDBU" in error(
        tmp_path / 'csnet.pth', images / 'a.png', '--masks', masks
    )


def test_pictures_need_matplotlib_and_say_so(tool, checkpoint, data, monkeypatch):
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(checkpoint), str(data / 'images'), '-o', str(data / 'views')])
    assert "pip install 'sod-plugins[report]'" in stop.value.code
    assert not (data / 'views').exists()
