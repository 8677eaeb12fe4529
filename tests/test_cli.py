from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics
from sod_command import sod

from sod_plugins import __version__
from sod_plugins._common.names import PROTOCOLS, PRUNING_RULES
from sod_plugins.data import read_image
from sod_plugins.inference import DenseCRF, SaliencyPredictor, open_network
from sod_plugins.metrics import MEASURE_NAMES, evaluate_folders
from sod_plugins.metrics import PROTOCOLS as METRIC_PROTOCOLS
from sod_plugins.networks import CSNet, Preprocessing, SAMNet, load_network, save_network
from sod_plugins.optim import RULES


def one_error(errors):
    """The error without progress bars; fails where there is a traceback or a second line."""
    lines = [line for line in errors.splitlines() if line.startswith(('sod', 'Traceback'))]
    assert len(lines) == 1
    assert lines[0].startswith('sod')
    return lines[0]


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    network = CSNet(width=1.0)
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    path = tmp_path_factory.mktemp('checkpoint') / 'net.pth'
    save_network(path, network, Preprocessing(size=(32, 48)))
    return path


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    for name in ('images', 'masks', 'predictions'):
        (tmp_path / name).mkdir()
    for stem in ('a', 'b', 'c'):
        pixels = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / 'images' / f'{stem}.jpg')
        Image.fromarray((pixels[..., 0] > 99).astype(np.uint8) * 255).save(
            tmp_path / 'masks' / f'{stem}.png'
        )
        Image.fromarray(pixels[..., 0]).save(tmp_path / 'predictions' / f'{stem}.png')
    return tmp_path


def test_the_names_offered_are_those_that_the_package_knows():
    assert tuple(METRIC_PROTOCOLS) == PROTOCOLS
    assert tuple(RULES) == PRUNING_RULES


def test_version_needs_no_torch():
    """As ``python -m``, and without the import that would make it slow."""
    code = (
        'import sys; from sod_plugins.cli import main\n'
        "try: main(['--version'])\n"
        "except SystemExit: sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    for words in (['-m', 'sod_plugins.cli', '--version'], ['-c', code]):
        done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, f'sod_plugins {__version__}\n')


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        (['predcit'], "Did you mean 'predict'? (sod --help"),
        (['data', 'chek'], "Did you mean 'check'? (sod data --help"),
        (
            ['predict', 'a.jpg', '--cut-out', '-o', 'b'],
            "Did you mean '--cutout'? (sod predict",
        ),
        (['predict', 'a.jpg', '--blue=1'], 'unrecognized arguments: --blue=1 (sod predict --help'),
        (['serve', 'photos'], 'unrecognized arguments: photos (sod serve --help'),
        (['predict', 'a.jpg', '-o', ''], 'argument -o/--out-dir: the path is empty'),
        (['predict', '', '-o', 'b'], "'' is no file, folder or pattern"),
        ([], 'required: VERB'),
        (['data'], 'required: VERB'),
        (['predict', 'a.jpg'], 'no folder is named for the results. Add -o DIR'),
        (['eval', 'a', 'b', '--protocol', 'mine'], "invalid choice: 'mine'"),
        (['report', 'a', '--data', 'b', '-o', 'c', '--compare', 'd'], 'not of the form NAME=FILE'),
    ],
)
def test_wrong_words_get_one_line(capsys, words, reason):
    status, _, errors = sod(capsys, *words)
    assert status == 2
    assert reason in one_error(errors)
    assert len(errors.splitlines()) == 1


def test_predict_writes_maps_cutouts_and_overlays(capsys, dataset, checkpoint):
    out = dataset / 'out'
    words = ['predict', dataset / 'images', '-o', out, '--checkpoint', checkpoint]
    words += ['--cutout', '--overlay', '--device', 'cpu']
    status, output, _ = sod(capsys, *words)
    assert (status, output) == (0, f'3 saliency maps written to {out}\n')
    expected = SaliencyPredictor(checkpoint, 'cpu').predict(dataset / 'images' / 'b.jpg')
    levels = np.floor(expected * np.float32(255))
    with Image.open(out / 'b.png') as saved:
        np.testing.assert_array_equal(np.asarray(saved), levels)
    with Image.open(out / 'cutout' / 'b.png') as saved:
        alpha = np.asarray(saved)[..., 3]
    np.testing.assert_array_equal(alpha, np.clip(2 * levels - 127, 0, 255))
    with Image.open(out / 'overlay' / 'b.jpg') as saved:
        assert (saved.mode, saved.size) == ('RGB', (30, 20))
    status, output, _ = sod(capsys, *words)
    assert status == 0
    assert '3 were there already' in output


def test_predict_refines_maps_and_says_what_it_cost(capsys, dataset, checkpoint):
    pytest.importorskip('pydensecrf')
    image, out = dataset / 'images' / 'b.jpg', dataset / 'out'
    words = ['predict', image, '-o', out, '--checkpoint', checkpoint, '--device', 'cpu', '--crf']
    status, output, _ = sod(capsys, *words)
    assert status == 0
    assert re.search(r'^CRF: \d+\.\d\d s a map$', output, re.MULTILINE)
    refined = DenseCRF().refine(
        read_image(image), SaliencyPredictor(open_network(checkpoint), 'cpu').predict(image)
    )
    with Image.open(out / 'b.png') as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.floor(refined * np.float32(255)))


def test_predict_without_the_crf_s_library_writes_nothing(capsys, dataset, checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, 'pydensecrf', None)
    words = ['predict', dataset / 'images', '-o', dataset / 'out', '--checkpoint', checkpoint]
    status, _, errors = sod(capsys, *words, '--crf')
    assert (status, (dataset / 'out').exists()) == (2, False)
    assert "pip install 'sod-plugins[crf]'" in one_error(errors)


def test_predict_reports_unreadable_files_at_the_end(capsys, dataset, checkpoint):
    (dataset / 'images' / 'broken.jpg').write_bytes(b'no image')
    words = ['predict', dataset / 'images', '-o', dataset / 'out', '--checkpoint', checkpoint]
    for count in (3, 0):  # also where everything else is done
        status, output, errors = sod(capsys, *words)
        assert status == 1
        assert output.startswith(f'{count} saliency maps written')
        assert one_error(errors) == 'sod: error: unreadable images: 1'
        assert 'broken.jpg' in errors.splitlines()[-1]
    assert len(list((dataset / 'out').glob('*.png'))) == 3


def test_predict_refuses_what_cannot_work_before_work(capsys, dataset, checkpoint):
    (dataset / 'text.pth').write_text('no checkpoint')
    images, out = dataset / 'images', dataset / 'out'
    for paths, weights, reason in (
        ([images], dataset / 'none.pth', 'none.pth'),
        ([images], dataset / 'text.pth', 'text.pth cannot be read as a checkpoint'),
        ([images, dataset / 'x.jpg'], checkpoint, 'x.jpg'),
        ([images, dataset / 'masks'], checkpoint, 'Name only the photos'),
    ):
        words = ['predict', *paths, '-o', out, '--checkpoint', weights]
        status, output, errors = sod(capsys, *words)
        assert (status, output) == (2, '')
        assert reason in one_error(errors)
        assert not out.exists()


@pytest.mark.parametrize('protocol', PROTOCOLS)
def test_eval_writes_every_kind_of_file(capsys, dataset, protocol):
    folders = dataset / 'predictions', dataset / 'masks'
    out = dataset / 'out'
    files = {name: out / f'{name}.x' for name in ('json', 'csv', 'per-image', 'markdown', 'latex')}
    options = [word for name, path in files.items() for word in (f'--{name}', path)]
    words = ['eval', *folders, '--protocol', protocol, *options]
    if protocol == PROTOCOLS[0]:
        words += ['--curves', out / 'curves']
    status, output, _ = sod(capsys, *words)
    assert status == 0
    expected = evaluate_folders(*folders, protocol=protocol, progress=False)
    record = json.loads(files['json'].read_text())
    assert {key: record[key] for key in MEASURE_NAMES} == expected.measures
    assert record['protocol'] == protocol
    assert output == files['markdown'].read_text(encoding='utf-8')
    assert f'| predictions | {protocol} | 3 | {expected.measures["max_f"]:.4f} |' in output
    assert files['latex'].read_text().startswith(r'\begin{tabular}')
    rows = list(csv.DictReader(files['csv'].read_text().splitlines()))
    assert [float(row['mae']) for row in rows] == [round(expected.measures['mae'], 4)]
    rows = list(csv.DictReader(files['per-image'].read_text().splitlines()))
    assert [row['stem'] for row in rows] == ['a', 'b', 'c']
    curves = {path.name for path in out.iterdir()} - {path.name for path in files.values()}
    assert curves == ({'curves.png', 'curves.pdf'} if protocol == PROTOCOLS[0] else set())


def test_eval_refuses_bad_folders_and_files(capsys, dataset):
    predictions, masks = dataset / 'predictions', dataset / 'masks'
    status, _, errors = sod(capsys, 'eval', dataset / 'none', masks)
    assert (status, 'none' in one_error(errors)) == (2, True)
    status, output, errors = sod(capsys, 'eval', predictions, masks, '--json', dataset)
    assert (status, output) == (2, '')
    assert 'is a folder. Name a file' in one_error(errors)
    (dataset / 'file').touch()
    options = ['--csv', dataset / 'table.csv', '--per-image', dataset / 'file' / 'images.csv']
    status, output, errors = sod(capsys, 'eval', predictions, masks, *options)
    assert (status, output) == (2, '')  # before the evaluation, which may take minutes
    assert "file' is a file, so nothing can be written below it" in one_error(errors)
    for count in ('-1', '1001', '9' * 20):
        status, output, errors = sod(capsys, 'eval', predictions, masks, '--workers', count)
        assert (status, output) == (2, '')
        assert f"'{count}' is not a number of workers from 0 to 1,000" in one_error(errors)
    (predictions / 'b.png').unlink()
    status, _, errors = sod(capsys, 'eval', predictions, masks)
    assert status == 2
    assert 'masks without prediction' in one_error(errors)


def test_report_writes_page_and_curves(capsys, dataset, checkpoint):
    predictions = dataset / 'predictions'
    words = ['eval', predictions, dataset / 'masks', '--protocol', 'salmetric']
    assert sod(capsys, *words, '--json', dataset / 'other.json')[0] == 0
    (dataset / 'config.py').write_text('lr = 0.5\n')
    page = dataset / 'out' / 'page.html'
    words = ['report', predictions, '--data', dataset, '-o', page, '--protocol', 'salmetric']
    words += ['--checkpoint', checkpoint, '--config', dataset / 'config.py', '--method', 'mine']
    words += ['--compare', f'theirs={dataset / "other.json"}', '--curves', dataset / 'out' / 'c']
    status, output, _ = sod(capsys, *words)
    assert (status, output) == (0, f'{page}\n')
    text = page.read_text(encoding='utf-8')
    for part in ('210,985', 'lr = 0.5', '<td>theirs</td>', f'mine on {dataset.name}'):
        assert part in text
    assert {path.name for path in page.parent.iterdir()} == {'page.html', 'c.png', 'c.pdf'}


def test_data_check_tells_and_fails_on_problems(capsys, dataset):
    status, output, _ = sod(capsys, 'data', 'check', dataset)
    assert status == 0
    assert output.splitlines()[0].split() == ['pairs', '3']
    (dataset / 'masks' / 'b.png').unlink()
    status, output, _ = sod(capsys, 'data', 'check', dataset)
    assert status == 1
    assert 'b.jpg' in output
    status, _, errors = sod(capsys, 'data', 'check', dataset / 'none')
    assert (status, 'none' in one_error(errors)) == (2, True)


def test_data_check_takes_folders_and_affixes(capsys, dataset):
    for path in (dataset / 'masks').iterdir():
        path.rename(dataset / 'images' / f'm_{path.name}')
    words = ['data', 'check', dataset, '--image-dir', 'images', '--mask-dir', 'images']
    status, output, _ = sod(capsys, *words, '--mask-prefix', 'm_')
    assert status == 0
    assert output.splitlines()[0].split() == ['pairs', '3']


def test_data_synth_generates_what_it_says(capsys, tmp_path):
    out = tmp_path / 'scenes'
    words = ['data', 'synth', out, '--count', 2, '--size', 48, 64]
    status, output, _ = sod(capsys, *words, '--seed', 3)
    assert (status, output) == (0, f'2 scenes in {out}\n')
    with Image.open(out / 'masks' / '000001.png') as mask:
        assert mask.size == (64, 48)
    status, _, errors = sod(capsys, *words, '--seed', 4)
    assert status == 2
    assert 'other scenes' in one_error(errors)


def test_extract_and_complexity(capsys, tmp_path, checkpoint):
    out = tmp_path / 'plain.pth'
    status, output, _ = sod(capsys, 'extract', checkpoint, out)
    assert (status, output) == (0, f'{out}\n')
    weights = load_network(out).state_dict()
    for name, value in load_network(checkpoint).state_dict().items():
        assert torch.equal(weights[name], value), name
    status, output, _ = sod(capsys, 'complexity', out, '--size', 224, 224)
    facts = dict(line.split(':', 1) for line in output.splitlines())
    assert facts['parameters'].strip() == '210,985'
    assert facts["MACs, CSNet authors' counter"].strip() == '0.6106 G'
    status, _, errors = sod(capsys, 'complexity', out, '--size', 8192, 8192)
    assert (status, 'at most 16,777,216 pixels in all' in one_error(errors)) == (2, True)
    assert sod(capsys, 'extract', out, out, '--size', 160, 96)[0] == 0
    stated = load_network(out).preprocessing
    assert stated == replace(load_network(checkpoint).preprocessing, size=(160, 96))
    status, _, errors = sod(capsys, 'extract', out, tmp_path / 'x.pth', '--size', 0, 96)
    assert (status, 'size' in one_error(errors), (tmp_path / 'x.pth').exists()) == (2, True, False)
    status, _, errors = sod(capsys, 'extract', Path(__file__), tmp_path / 'x.pth')
    assert (status, 'test_cli.py' in one_error(errors)) == (2, True)


def test_export_and_predict_by_other_backends(capsys, dataset):
    """The file in both formats and the checkpoint itself give the maps of torch, up to rounding."""
    for module in ('numba', 'onnxscript', 'onnxruntime', 'openvino'):
        pytest.importorskip(module)
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=())  # few operators export quickly
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    checkpoint = dataset / 'small.pth'
    save_network(checkpoint, network, Preprocessing(size=(32, 48)))
    photo = dataset / 'images' / 'a.jpg'
    files = [dataset / 'net.onnx', dataset / 'net.xml']
    for file in files:
        status, output, _ = sod(capsys, 'export', checkpoint, '-o', file, '--photo', photo)
        assert status == 0
        pattern = r'differs from torch by \S+e-0[5-9] in saliency and \S+e-0[5-9] in logits on '
        assert re.fullmatch(f'{file}\n{pattern}{photo}\n', output)
    cases = [(file, []) for file in (checkpoint, *files)]
    cases += [(files[0], ['--backend', 'openvino']), (checkpoint, ['--backend', 'onnxruntime'])]
    cases += [(checkpoint, ['--backend', 'numba'])]
    maps = []
    for number, (network, words) in enumerate(cases):
        out = dataset / f'out{number}'
        status, _, _ = sod(capsys, 'predict', photo, '-o', out, '--checkpoint', network, *words)
        assert status == 0
        maps.append(np.asarray(Image.open(out / 'a.png')).astype(int))
    assert all(abs(other - maps[0]).max() <= 1 for other in maps[1:])
    words = ['predict', photo, '-o', dataset / 'none', '--checkpoint', files[1]]
    for backend, reason in (('torch', 'torch does not read'), ('onnxruntime', 'not one of .onnx')):
        status, _, errors = sod(capsys, *words, '--backend', backend)
        assert status == 2 and reason in one_error(errors)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupt_is_no_traceback(capsys, dataset, checkpoint, monkeypatch, number):
    def interrupt(self, image):
        os.kill(os.getpid(), number)
        signal.pause()

    monkeypatch.setattr(SaliencyPredictor, 'small_maps', interrupt)
    words = ['predict', dataset / 'images', '-o', dataset / 'out', '--checkpoint', checkpoint]
    status, _, errors = sod(capsys, *words)
    assert status == 128 + number
    assert 'interrupted' in one_error(errors)


def test_prune_writes_a_smaller_network(checkpoint, tmp_path, capsys):
    out = tmp_path / 'new/small.pth'
    status, printed, _ = sod(capsys, 'prune', checkpoint, '-o', out, '--ratio', '0.5')
    assert status == 0
    small, large = load_network(out), load_network(checkpoint)
    assert small.preprocessing == large.preprocessing
    before, after = (sum(p.numel() for p in net.parameters()) for net in (large, small))
    assert after == pytest.approx(before / 2, rel=0.02)
    first, parameters, *macs = printed.splitlines()
    assert first == str(out)
    assert re.split(r' {2,}', parameters) == [
        'parameters:',
        f'{before:,} -> {after:,} ({after / before:.1%} left)',
    ]
    assert [line.split(':')[0] for line in macs] == ['MACs', "MACs, CSNet authors' counter"]
    status, printed, _ = sod(capsys, 'complexity', out)
    assert f'{after:,}' in printed


def test_prune_refuses(checkpoint, tmp_path, capsys):
    out = tmp_path / 'small.pth'
    samnet = tmp_path / 'samnet.pth'
    save_network(samnet, SAMNet())
    for words, reason in (
        ([checkpoint], 'one of the arguments --threshold --ratio is required'),
        ([checkpoint, '--ratio', 0.5, '--threshold', 1], 'not allowed with'),
        ([checkpoint, '--ratio', 38], 'ratio must lie between 0 and 1, got 38'),
        ([checkpoint, '--threshold', 1e-20], 'no channel has a score under the threshold 1e-20'),
        ([checkpoint, '--threshold', 9], 'remove all channels of backbone.stages.0.0.conv1'),
        ([samnet, '--ratio', 0.5], "a network 'SAMNet'; only a CSNet can be pruned"),
    ):
        status, _, errors = sod(capsys, 'prune', *words, '-o', out)
        assert status == 2
        assert reason in one_error(errors)
    assert not out.exists()


@pytest.mark.filterwarnings('error')
def test_warnings_of_pillow_are_not_shown(capsys, tmp_path, monkeypatch):
    for folder in ('images', 'masks'):
        (tmp_path / folder).mkdir()
        Image.new('L', (12, 12)).save(tmp_path / folder / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)  # beyond which it warns
    status, _, errors = sod(capsys, 'data', 'check', tmp_path)
    assert (status, 'Warning' in errors) == (0, False)
