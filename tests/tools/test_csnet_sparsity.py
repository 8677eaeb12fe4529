from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import load_tool, settle_statistics

from sod_plugins.analysis.complexity import count_parameters
from sod_plugins.networks import CSNet, Preprocessing, SAMNet, save_network
from sod_plugins.optim import prune

pytest.importorskip('matplotlib')

tool = load_tool('analysis_tools/csnet_sparsity.py')


@pytest.fixture
def sparse(tmp_path):
    """A CSNet of whose 88 deciding gammas in ILBlocks 30 are 1e-12, and a fresh one."""
    paths = []
    for name in ('sparse', 'fresh'):
        torch.manual_seed(0)
        network = CSNet(width=0.4, stage_blocks=(1, 1, 1, 1))
        settle_statistics(network, torch.randn(2, 3, 32, 32))
        if name == 'sparse':
            with torch.no_grad():
                network.backbone.stages[1][0].conv1.norms[0].weight[:6] = -1e-12
                network.backbone.stages[2][0].conv1.norms[0].weight[:24] = 1e-12
        save_network(tmp_path / f'{name}.pth', network, Preprocessing(size=(32, 32)))
        paths.append(tmp_path / f'{name}.pth')
    return paths


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / 'photos').mkdir()
    for stem in 'abc':
        pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f'photos/{stem}.png')
    return tmp_path / 'photos'


def run(*words):
    tool.main([str(word) for word in words])


def test_tables_and_figures(sparse, photos, tmp_path, capsys):
    pruned, fresh = sparse
    out = tmp_path / 'out'
    words = ['--threshold', 1e-8, '--thresholds', 2, '--images', photos, '--count', 2]
    run(f'decayed={pruned}', fresh, '-o', out, *words)
    rows = [re.split(r' *\| *', line)[1:-1] for line in capsys.readouterr().out.splitlines()]
    rows = [row for row in rows if row]
    assert rows[2][0] == 'decayed'
    assert rows[2][2].split() == ['30', 'of', '88']
    assert rows[2][1].startswith('1.0e-12 to ')
    network = tool._read(pruned)
    left = prune(network, threshold=1e-8)
    cells = {tuple(row[:2]): row for row in rows}
    assert cells['decayed', '1e-08'][3].split()[0] == f'{count_parameters(left):,}'
    assert cells['fresh', '1e-08'][3].endswith('(100%)')
    assert 'all channels of backbone.stages.0.0.conv1' in cells['fresh', '2'][2]
    for name in ('gammas', 'channels', 'outputs'):
        with Image.open(out / f'{name}.png') as figure:
            assert np.asarray(figure.convert('L')).std() > 20


def test_channels_by_scale(sparse):
    network = tool._read(sparse[0])
    assert tool.remaining_widths(network, 1e-8) == [(4, 4), (10,), (8,), (32,)]
    # A pruned network still shows what it was made of.
    figure = tool.draw_channels({'pruned': prune(network, threshold=1e-8)}, 1e-8)
    heights = [[bar.get_height() for bar in bars] for bars in figure.axes[0].containers]
    assert heights == [[4, 16, 32, 32], [4, 10, 8, 32]]


def test_deviation_among_channels(sparse, photos):
    network = tool._read(sparse[1])
    image = sorted(photos.iterdir())[0]
    values = tool.output_deviations(network, [image])
    assert len(values) == 12
    features = []
    layer = network.backbone.stages[0][0].conv1
    handle = layer.register_forward_hook(lambda *args: features.append(args[-1]))
    with torch.no_grad():
        network(network.preprocessing.apply(np.asarray(Image.open(image))))
    handle.remove()
    expected = np.mean([np.std(maps[0].numpy(), axis=0).mean() for maps in features[0]])
    assert values[0] == pytest.approx(expected, rel=1e-5)


def test_gap_leaves_the_tails_out():
    values = 10.0 ** np.array([-40, *np.linspace(-9, -8, 10), *np.linspace(-3, -1, 20)])
    gap = tool.widest_gap(values)
    assert (gap.low, gap.high) == (pytest.approx(1e-8), pytest.approx(1e-3))
    assert (gap.below, gap.total) == (11, 31)


def test_bad_input_is_one_sentence(sparse, photos, tmp_path):
    def error(*words):
        with pytest.raises(SystemExit) as stop:
            run(*words, '-o', tmp_path / 'out')
        return stop.value.code

    save_network(tmp_path / 'samnet.pth', SAMNet())
    assert "samnet.pth' is a SAMNet, not a CSNet" in error(tmp_path / 'samnet.pth')
    assert 'each by another NAME' in error(sparse[0], sparse[0])
    (tmp_path / 'list.txt').write_text('z\n')
    listed = ['--images', photos, '--list', tmp_path / 'list.txt']
    assert 'none of the images' in error(sparse[0], *listed)
    assert 'There is no checkpoint' in error(Path('missing.pth'))
