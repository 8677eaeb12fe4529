from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from reference_values import settle_statistics
from torch import nn

from sod_plugins.data import draw_scene
from sod_plugins.inference import (
    OnnxRuntimeNetwork,
    OpenVINONetwork,
    SaliencyPredictor,
    export,
    export_network,
    open_network,
)
from sod_plugins.inference.engines import DESCRIPTION
from sod_plugins.networks import CSNet, Preprocessing, SAMNet, save_network

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')

SMALL = {'type': 'SAMNet', 'width': 0.5, 'modules': (1, 0, 0, 0, 1)}  # exporting takes seconds
PREPROCESSING = Preprocessing(size=(64, 48), mean=(100.0, 110.0, 120.0), std=(50.0, 60.0, 70.0))


def settled(network: nn.Module) -> nn.Module:
    settle_statistics(network, torch.randn(8, 3, 64, 64))
    network.preprocessing = PREPROCESSING
    return network


@pytest.fixture(scope='module')
def samnet() -> nn.Module:
    torch.manual_seed(0)
    return settled(SAMNet(backbone=SMALL))


@pytest.fixture(scope='module')
def onnx_file(samnet, tmp_path_factory):
    path = tmp_path_factory.mktemp('export') / 'new' / 'samnet.onnx'
    check = export_network(samnet, path)
    assert check.saliency < 1e-5 and check.logits < 1e-4
    assert [file.name for file in path.parent.iterdir()] == ['samnet.onnx']
    return path


def test_onnx_file_has_the_named_input_and_output_and_describes_itself(onnx_file):
    model = onnx.load(onnx_file)
    onnx.checker.check_model(model)

    def lengths(value):
        return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]

    (image,), (logits,) = model.graph.input, model.graph.output
    assert (image.name, lengths(image)) == ('image', ['N', 3, 64, 48])
    assert (logits.name, lengths(logits)) == ('logits', ['N', 1, 64, 48])
    assert image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata[DESCRIPTION]) == {
        'network': 'SAMNet',
        'preprocessing': json.loads(json.dumps(PREPROCESSING.to_dict())),
    }


def test_what_costs_time_is_not_in_the_graph(onnx_file):
    """The norms are folded, and no map of five axes or single channel is resized by an operator."""
    operators = [node.op_type for node in onnx.load(onnx_file).graph.node]
    assert not {'BatchNormalization', 'Dropout', 'Softmax'} & set(operators)
    # One per decoder level but the coarsest, one per context of the pyramid pooling.
    assert operators.count('Resize') == 4 + 4


@pytest.mark.parametrize('batch', [1, 3])
def test_onnx_runtime_agrees_with_torch_at_any_batch(samnet, onnx_file, batch):
    exported = OnnxRuntimeNetwork(onnx_file, threads=1)
    assert (exported.name, exported.preprocessing) == ('SAMNet', PREPROCESSING)
    images = torch.randn(batch, 3, 64, 48)
    with torch.no_grad():
        expected = samnet.eval()(images)
    # The network's own rounding, measured against float64: 1e-5.
    torch.testing.assert_close(exported(images), expected, rtol=1e-4, atol=1e-4)


def test_openvino_agrees_with_torch_in_both_formats(samnet, onnx_file, tmp_path):
    pytest.importorskip('openvino')
    export_network(samnet, tmp_path / 'samnet.xml')
    assert {file.name for file in tmp_path.iterdir()} == {'samnet.xml', 'samnet.bin'}
    images = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        expected = samnet.eval()(images)
    for path in (tmp_path / 'samnet.xml', onnx_file):
        exported = OpenVINONetwork(path, threads=1)
        assert (exported.name, exported.preprocessing) == ('SAMNet', PREPROCESSING)
        first, both = exported(images[:1]), exported(images)
        torch.testing.assert_close(both, expected, rtol=1e-4, atol=1e-4)
        # The first result still stands after the second run.
        torch.testing.assert_close(first, expected[:1], rtol=1e-4, atol=1e-4)


def test_openvino_computes_in_bfloat16_where_asked(onnx_file):
    pytest.importorskip('openvino')
    cpu = Path('/proc/cpuinfo')
    if not cpu.is_file() or 'bf16' not in cpu.read_text():
        pytest.skip('needs a CPU with bfloat16')
    images = torch.randn(1, 3, 64, 48)
    exact, rounded = (OpenVINONetwork(onnx_file, 1, p)(images).sigmoid() for p in ('f32', 'bf16'))
    assert 1e-4 < (rounded - exact).abs().max() < 0.1


def test_torch_predicts_by_the_fused_network(samnet, tmp_path):
    save_network(tmp_path / 'samnet.pth', samnet)
    network = open_network(tmp_path / 'samnet.pth')
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    images = torch.randn(1, 3, 64, 48)
    with torch.no_grad():
        torch.testing.assert_close(network(images), samnet.eval()(images), rtol=1e-4, atol=1e-4)


def test_a_predictor_takes_an_exported_network(samnet, onnx_file):
    photo = draw_scene(np.random.default_rng(1), (50, 70)).image
    expected = SaliencyPredictor(samnet, 'cpu').predict(photo)
    got = SaliencyPredictor(OnnxRuntimeNetwork(onnx_file), 'cpu').predict(photo)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_another_size_and_another_network(tmp_path):
    torch.manual_seed(0)
    network = settled(CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=(4,)))
    photo = draw_scene(np.random.default_rng(1), (50, 70)).image
    export_network(network, tmp_path / 'csnet.onnx', size=(32, 80), photo=photo)
    exported = OnnxRuntimeNetwork(tmp_path / 'csnet.onnx')
    assert exported.preprocessing.size == (32, 80)
    assert network.preprocessing.size == PREPROCESSING.size
    with pytest.raises(ValueError, match=r'csnet.onnx takes images \(N, 3, 32, 80\), got'):
        exported(torch.zeros(1, 3, 80, 32))


class Fragile(nn.Module):
    """Its value is 3 in torch, and 0 for an exporter."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.preprocessing = PREPROCESSING

    def forward(self, images):
        offset = 0.0 if torch.compiler.is_exporting() else 3.0
        return images[:, :1] * self.weight * 0 + offset


def test_a_file_that_differs_from_torch_is_not_kept(tmp_path):
    with pytest.raises(ValueError, match=r'differs from torch by 4\.5e-01 in saliency and by 3\.0'):
        export_network(Fragile(), tmp_path / 'fragile.onnx')
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_or_opened_is_refused(samnet, tmp_path):
    with pytest.raises(ValueError, match=r"'net.pt' has to end in one of .onnx, .xml"):
        export_network(samnet, 'net.pt')
    with pytest.raises(ValueError, match='Linear needs an attribute `preprocessing`'):
        export_network(nn.Linear(3, 3), tmp_path / 'linear.onnx')
    with pytest.raises(ValueError, match=r'size is \(0, 9\)\. Give a height'):
        export_network(samnet, tmp_path / 'net.onnx', size=(0, 9))
    with pytest.raises(ValueError, match='16'):
        export_network(settled(CSNet()), tmp_path / 'net.onnx', size=(8, 8))
    with pytest.raises(FileNotFoundError, match='There is no network'):
        OnnxRuntimeNetwork(tmp_path / 'missing.onnx')
    broken = tmp_path / 'broken.onnx'
    broken.write_bytes(b'no network')
    with pytest.raises(ValueError, match='cannot be read as a network'):
        OnnxRuntimeNetwork(broken)


def test_a_foreign_network_is_told_apart(onnx_file, tmp_path):
    model = onnx.load(onnx_file)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'foreign.onnx')
    with pytest.raises(ValueError, match='does not say how its input is preprocessed'):
        OnnxRuntimeNetwork(tmp_path / 'foreign.onnx')


def test_a_broken_photo_is_named_before_any_work(samnet, tmp_path, monkeypatch):
    monkeypatch.setitem(export.WRITERS, '.onnx', (pytest.fail, pytest.fail))
    (tmp_path / 'photo.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'photo\.jpg'):
        export_network(samnet, tmp_path / 'net.onnx', photo=tmp_path / 'photo.jpg')


def test_the_file_that_is_read_first_gets_its_name_last(samnet, tmp_path, monkeypatch):
    """So an .xml never stands without its .bin, here under a name that is taken."""

    def write(network, size, description, path):
        for suffix in ('.xml', '.bin'):
            path.with_suffix(suffix).write_text('content')

    monkeypatch.setitem(export.WRITERS, '.xml', (write, lambda path: path))
    monkeypatch.setattr(export, 'check_exported', lambda *_: None)
    (tmp_path / 'net.bin').mkdir()
    with pytest.raises(OSError, match='directory'):
        export_network(samnet, tmp_path / 'net.xml')
    assert [path.name for path in tmp_path.iterdir()] == ['net.bin']
    (tmp_path / 'net.bin').rmdir()
    export_network(samnet, tmp_path / 'net.xml')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['net.bin', 'net.xml']
