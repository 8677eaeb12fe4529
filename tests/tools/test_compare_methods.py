from __future__ import annotations

import json
import math
import re
import struct
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics
from shared_data import shared_file

from sod_plugins.data import find_pairs, read_mask
from sod_plugins.metrics import MEASURE_NAMES, evaluate_folders, read_prediction
from sod_plugins.networks import CSNet, Preprocessing, save_network

TOOLS = Path(__file__).resolve().parents[2] / 'tools/analysis_tools'
SIZE = (6, 8)
WEIGHTS, BIAS = (0.7, -0.2, 0.4), 0.1


@pytest.fixture
def tool(monkeypatch):
    """The command's module and that of its methods."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import compare_methods
    import saliency_methods

    return SimpleNamespace(
        main=compare_methods.main, compare=compare_methods, **vars(saliency_methods)
    )


@pytest.fixture
def data(tmp_path):
    """Five random images (12, 16) with rectangles as masks; the first two make up test.txt."""
    root, rng = tmp_path / 'set', np.random.default_rng(0)
    for folder in ('images', 'masks'):
        (root / folder).mkdir(parents=True)
    for index in range(5):
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).save(
            root / f'images/{index}.png'
        )
        mask = np.zeros((12, 16), np.uint8)
        mask[2 : 6 + index, 3 : 9 + index] = 255
        Image.fromarray(mask).save(root / f'masks/{index}.png')
    (root / 'test.txt').write_text('0\n1\n')
    (root / 'train.txt').write_text('2\n3\n4\n')
    return root


@pytest.fixture
def constant_checkpoint(tmp_path):
    """A CSNet that gives every pixel the saliency 0.3, which 8 bits truncate to 76."""
    torch.manual_seed(0)
    network = CSNet()
    settle_statistics(network, torch.randn(2, 3, 32, 48))
    torch.nn.init.zeros_(network.decode_head.classifier.weight)
    torch.nn.init.constant_(network.decode_head.classifier.bias, math.log(0.3 / 0.7))
    save_network(tmp_path / 'constant.pth', network, Preprocessing(size=(32, 48)))
    return tmp_path / 'constant.pth'


def message(*parts: int | str | bytes) -> bytes:
    """Encode a protobuf message from alternating field numbers and values."""

    def varint(number: int) -> bytes:
        low, high = number & 0x7F, number >> 7
        return bytes([low | 0x80]) + varint(high) if high else bytes([low])

    out = b''
    for field, value in zip(parts[::2], parts[1::2], strict=True):
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            out += varint(field << 3 | 2) + varint(len(content)) + content
    return out


def write_onnx(
    path: Path,
    size: tuple[int | str, int | str] = SIZE,
    channels: int = 1,
    batch: int | str = 1,
) -> Path:
    """Write a 1x1 convolution of the channels: its rectified result first, then the result itself.

    The field numbers are those of onnx.proto, so that the tests need no package to write ONNX.
    """

    def value(name: str, *shape: int | str) -> bytes:
        lengths = [message(1 if isinstance(n, int) else 2, n) for n in shape]
        dimensions = b''.join(message(1, length) for length in lengths)
        return message(1, name, 2, message(1, message(1, 1, 2, dimensions)))

    def constant(name: str, values: tuple[float, ...], *shape: int) -> bytes:
        dimensions = b''.join(message(1, n) for n in shape)
        raw = struct.pack(f'<{len(values)}f', *values)
        return dimensions + message(2, 1, 8, name, 9, raw)

    def node(operator: str, inputs: tuple[str, ...], output: str) -> bytes:
        return b''.join(message(1, name) for name in inputs) + message(2, output, 4, operator)

    graph = message(
        *(1, node('Conv', ('image', 'weight', 'bias'), 'map')),
        *(1, node('Relu', ('map',), 'rectified')),
        *(2, 'tiny'),
        *(5, constant('weight', WEIGHTS * channels, channels, 3, 1, 1)),
        *(5, constant('bias', (BIAS,) * channels, channels)),
        *(11, value('image', batch, 3, *size)),
        *(12, value('rectified', batch, channels, *size)),
        *(12, value('map', batch, channels, *size)),
    )
    path.write_bytes(message(1, 8, 7, graph, 8, message(1, '', 2, 13)))
    return path


def run(tool, data, *words: object) -> dict:
    """Run the command on test.txt and return its JSON record."""
    out = data.parent / 'out/table.json'
    arguments = [data, *words, '--list', 'test.txt', '--json', out]
    tool.main([str(word) for word in arguments])
    return json.loads(out.read_text())


def test_constant_checkpoint_scores_as_computed_by_hand(tool, data, constant_checkpoint, tmp_path):
    record = run(tool, data, f'flat={constant_checkpoint}', '--maps', tmp_path / 'maps')
    (row,) = record['methods']
    for stem in '01':
        assert (read_prediction(tmp_path / f'maps/flat/{stem}.png') == 76).all()
    # Below level 76 everything is salient: recall 1, precision the object's share of the image.
    shares = [4 * 6 / 192, 5 * 7 / 192]
    precision = sum(shares) / 2
    assert record['protocol'] == 'salmetric'
    max_f = 1.3 * precision / (0.3 * precision + 1)
    # SalMetric adds 1e-4 to pixel counts of some 200.
    assert row['measures']['max_f'] == pytest.approx(max_f, abs=1e-5)
    errors = [share * (1 - 76 / 255) + (1 - share) * 76 / 255 for share in shares]
    assert row['measures']['mae'] == pytest.approx(sum(errors) / 2, abs=1e-9)
    assert (row['count'], row['source']) == (2, 'constant.pth, a CSNet, torch')
    assert (row['input_size'], row['parameters']) == ([32, 48], 210985)


def test_measures_can_be_chosen(tool, data, capsys):
    record = run(tool, data, 'prior=train.txt', '--measures', 'si_mae,kappa')
    assert list(record['methods'][0]['measures']) == ['si_mae', 'kappa']
    with pytest.raises(SystemExit, match=r"measures must be one of .* got 'kapa'"):
        run(tool, data, 'prior=train.txt', '--measures', 'kapa')


def test_rows_equal_an_evaluation_of_the_saved_maps(tool, data, constant_checkpoint, tmp_path):
    pytest.importorskip('onnxruntime')
    network = write_onnx(tmp_path / 'tiny.onnx')
    methods = 'prior=train.txt', f'csnet={constant_checkpoint}', f'tiny={network}'
    table = tmp_path / 'table.md'
    options = ('--protocol', 'pysodmetrics', '--maps', tmp_path / 'maps', '--markdown', table)
    record = run(tool, data, *methods, *options)
    assert [row['name'] for row in record['methods']] == ['prior', 'csnet', 'tiny']
    for row in record['methods']:
        again = evaluate_folders(
            tmp_path / 'maps' / row['name'],
            data / 'masks',
            list_file=data / 'test.txt',
            progress=False,
        )
        assert row['measures'] == again.measures
        assert list(row['measures']) == list(MEASURE_NAMES)
    lines = table.read_text().splitlines()
    mae = record['methods'][0]['measures']['mae']
    assert any(re.match(rf'\| prior \| pysodmetrics \| 2 \|.*{mae:.4f}', line) for line in lines)
    facts = '| tiny | tiny.onnx, an ONNX network, ONNX Runtime | 6x8 | 4 | 0.000 G |'
    assert any(line.startswith(facts) for line in lines)
    assert any(
        line.startswith('| prior | blurred mean of the 3 masks in train.txt | - | - | - |')
        for line in lines
    )


def test_prior_is_the_blurred_mean_of_the_masks(tool, tmp_path):
    rng = np.random.default_rng(1)
    wide, tall = rng.random((64, 128)) < 0.4, rng.random((192, 64)) < 0.6
    wide[:, ::2] = False  # so that no place is covered by both masks in full
    for name, mask in (('wide', wide), ('tall', tall)):
        Image.fromarray(mask).save(tmp_path / f'{name}.png')
    mean = (wide.reshape(64, 64, 2).mean(2) + tall.reshape(64, 3, 64).mean(1)) / 2
    # A Gaussian of deviation 4 cut at four deviations, along both axes; edges are repeated.
    kernel = np.exp(-(np.arange(-16, 17) ** 2) / 32)
    blur = np.zeros((64, 64))
    for row in range(64):
        for offset, weight in zip(range(-16, 17), kernel / kernel.sum(), strict=True):
            blur[row, min(max(row + offset, 0), 63)] += weight
    prior = tool.mean_mask([tmp_path / 'wide.png', tmp_path / 'tall.png'])
    # The masks' block means and the result are float32.
    np.testing.assert_allclose(prior, blur @ mean @ blur.T, atol=1e-6)


def test_prior_is_resized_to_each_image(tool, data):
    method = tool.load_centre_prior('prior', data, Path('train.txt'))
    prior = tool.mean_mask([data / f'masks/{stem}.png' for stem in '234'])
    same = method.predict(np.zeros((64, 64, 3), np.uint8))
    np.testing.assert_array_equal(same, prior)
    # Twice as wide: from the second column on, every value is 1/4 and 3/4 of two neighbours.
    wide = method.predict(np.zeros((64, 128, 3), np.uint8))
    between = 0.75 * prior[:, :-1] + 0.25 * prior[:, 1:]
    np.testing.assert_allclose(wide[:, 1:-1:2], between, atol=1e-6)


def stretch(values: np.ndarray) -> np.ndarray:
    return (values - values.min()) / (values.max() - values.min())


def convolve(pixels: np.ndarray) -> np.ndarray:
    """The first output of the tiny network for an image (6, 8, 3) with values 0..255."""
    normalised = (pixels / pixels.max() - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    # Without the cut at zero, the stretch that follows would undo any normalisation.
    return np.maximum(normalised @ np.array(WEIGHTS) + BIAS, 0)


def test_onnx_network_gets_a_normalised_image_and_its_first_output_is_stretched(tool, tmp_path):
    pytest.importorskip('onnxruntime')
    method = tool.load_onnx('tiny', write_onnx(tmp_path / 'tiny.onnx'))
    image = np.random.default_rng(2).integers(0, 200, (*SIZE, 3), np.uint8)
    assert 0.2 < (convolve(image) == 0).mean() < 0.8
    np.testing.assert_allclose(method.predict(image), stretch(convolve(image)), atol=1e-5)
    assert (method.input_size, method.parameters, method.macs) == (SIZE, 4, 3 * 48)


def test_onnx_network_works_at_its_own_size(tool, tmp_path):
    pytest.importorskip('onnxruntime')
    method = tool.load_onnx('tiny', write_onnx(tmp_path / 'tiny.onnx', batch='n'))
    image = np.random.default_rng(3).integers(0, 256, (12, 16, 3), np.uint8)
    # Bilinear halving samples between two pixels each: the mean of 2 x 2.
    small = stretch(convolve(image.reshape(6, 2, 8, 2, 3).mean((1, 3))))
    rows = np.array([np.interp(np.arange(16) / 2 - 0.25, np.arange(8), row) for row in small])
    expected = np.array([np.interp(np.arange(12) / 2 - 0.25, np.arange(6), c) for c in rows.T]).T
    np.testing.assert_allclose(method.predict(image), expected, atol=1e-5)


@pytest.mark.parametrize('level', [0, 90])
def test_onnx_network_on_a_flat_image_gives_an_empty_map(tool, tmp_path, level):
    pytest.importorskip('onnxruntime')
    method = tool.load_onnx('tiny', write_onnx(tmp_path / 'tiny.onnx'))
    assert not method.predict(np.full((9, 9, 3), level, np.uint8)).any()


def test_time_is_the_median_in_milliseconds(tool, data, monkeypatch):
    method = tool.Method('zero', 'nothing', lambda image: np.zeros(image.shape[:2], np.float32))
    clock = iter([10.0, 10.007, 20.0, 20.002, 30.0, 30.003])
    monkeypatch.setattr(tool.compare.time, 'process_time', lambda: next(clock))
    (result,) = tool.compare.compare([method], find_pairs(data)[:3], 'salmetric')
    assert result.milliseconds == pytest.approx(3)
    assert result.evaluation.measures['mae'] == pytest.approx(
        np.mean([read_mask(data / f'masks/{index}.png').mean() for index in range(3)])
    )


@pytest.mark.parametrize(
    ('words', 'problem'),
    [
        (['net.pth'], "'net.pth' is not of the form NAME=FILE"),
        (['a/b=net.pth'], "'a/b=net.pth' is not of the form NAME=FILE"),
        (['net=zoo:sod-smal'], "got 'sod-smal'. Did you mean 'sod-small'?"),
        (['prior=train.txt@torch'], "'train.txt' cannot be computed by torch: leave '@torch' out."),
        (['net=net.pt'], "'net.pt' is no method: name a checkpoint (.pth), an ONNX network"),
        (['net=absent.pth'], "There is no network 'absent.pth'"),
        (['net=absent.onnx'], "There is no network 'absent.onnx'"),
        (['prior=absent.txt'], "Cannot read the list 'absent.txt'"),
        (['a=train.txt', 'a=test.txt'], 'Several methods are called a. Rename all but one.'),
        (['a=train.txt', '--json', '.'], "'.' is a folder. Name a file to write."),
        (['images=train.txt', '--maps', 'MAPS'], "images' is not empty. Name a new folder"),
        (['prior=train.txt', '--list', 'odd.txt'], 'names images that do not exist: 9'),
    ],
)
def test_bad_input_is_refused_before_any_work(tool, data, monkeypatch, words, problem):
    (data / 'odd.txt').write_text('0\n9\n')

    def work(*_: object) -> None:
        raise AssertionError('work began')

    monkeypatch.setattr(tool.compare, 'compare', work)
    with pytest.raises(SystemExit, match=re.escape(problem)):
        tool.main([str(data), *(str(data) if word == 'MAPS' else word for word in words)])


def test_damaged_images_and_checkpoints_are_refused_before_any_work(tool, data, monkeypatch):
    monkeypatch.setattr(tool.compare, 'compare', None)
    (data / 'net.pth').write_bytes(b'nothing')
    with pytest.raises(SystemExit, match=r'net\.pth cannot be read as a checkpoint'):
        tool.main([str(data), f'net={data / "net.pth"}'])
    (data / 'images/1.png').write_bytes((data / 'images/1.png').read_bytes()[:200])
    with pytest.raises(SystemExit, match=r"cannot be compared: .*'.*1\.png'.*damaged"):
        tool.main([str(data), 'prior=train.txt'])


@pytest.mark.parametrize(
    ('size', 'channels', 'batch', 'problem'),
    [
        (('height', 'width'), 1, 1, 'with one float input (1, 3, height, width) of fixed size'),
        (SIZE, 1, 4, 'with one float input (1, 3, height, width) of fixed size'),
        (SIZE, 2, 1, 'with its saliency map (1, 1, height, width) first'),
    ],
)
def test_onnx_networks_of_another_kind_are_refused(tool, tmp_path, size, channels, batch, problem):
    pytest.importorskip('onnxruntime')
    path = write_onnx(tmp_path / 'other.onnx', size, channels, batch)
    with pytest.raises(ValueError, match=re.escape(problem)):
        tool.load_onnx('other', path)


def test_damaged_onnx_file_is_refused(tool, tmp_path):
    pytest.importorskip('onnxruntime')
    (tmp_path / 'damaged.onnx').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r"damaged\.onnx' cannot be read as an ONNX network"):
        tool.load_onnx('damaged', tmp_path / 'damaged.onnx')


def test_missing_onnxruntime_is_named(tool, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ImportError, match=r"pip install 'sod-plugins\[export\]'"):
        tool.load_onnx('tiny', write_onnx(tmp_path / 'tiny.onnx'))


@pytest.mark.shared_data
def test_u2net_beats_the_centre_prior_on_photos(tool, msra10k, tmp_path):
    pytest.importorskip('onnxruntime')
    network = shared_file('reference/u2netp.onnx')
    stems = (msra10k / 'test.txt').read_text().split()[:6]
    (tmp_path / 'six.txt').write_text('\n'.join(stems))
    few = (msra10k / 'train.txt').read_text().split()[:100]
    (tmp_path / 'few.txt').write_text('\n'.join(few))
    out = tmp_path / 'table.json'
    words = [f'prior={tmp_path / "few.txt"}', f'U2-Net={network}', '--list', tmp_path / 'six.txt']
    tool.main([str(word) for word in (msra10k, *words, '--json', out)])
    prior, u2net = json.loads(out.read_text())['methods']
    assert u2net['input_size'] == [320, 320]
    # U2-Net's authors publish 1.13M parameters; an export folds its normalisations.
    assert u2net['parameters'] == pytest.approx(1.13e6, rel=0.01)
    assert u2net['measures']['max_f'] > prior['measures']['max_f'] + 0.2


@pytest.mark.parametrize('engine', ['onnxruntime', 'openvino'])
def test_engines_compute_the_same_maps(tool, data, tmp_path, engine):
    pytest.importorskip(engine)
    pytest.importorskip('onnxscript')
    torch.manual_seed(0)
    network = CSNet(width=0.4, stage_blocks=(1, 1, 1, 1))
    settle_statistics(network, torch.randn(4, 3, 32, 32))
    checkpoint = tmp_path / 'net.pth'
    save_network(checkpoint, network, Preprocessing(size=(32, 32)))
    words = [str(data), f'a={checkpoint}', f'b={checkpoint}@{engine}']
    tool.main([*words, '--json', str(tmp_path / 'out.json')])
    one, other = json.loads((tmp_path / 'out.json').read_text())['methods']
    assert tool.ENGINES[engine] in other['source'] and 'torch' in one['source']
    assert other['parameters'] == one['parameters'] and other['macs'] == one['macs']
    assert other['measures'] == pytest.approx(one['measures'], abs=1e-4)


def test_an_onnx_network_is_computed_by_openvino_too(tool, data, tmp_path):
    pytest.importorskip('onnxruntime')
    pytest.importorskip('openvino')
    network = write_onnx(tmp_path / 'tiny.onnx')
    record = run(tool, data, f'a={network}', f'b={network}@openvino')
    one, other = record['methods']
    assert other['source'] == 'tiny.onnx, an ONNX network, OpenVINO'
    assert other['measures'] == pytest.approx(one['measures'], abs=1e-6)
