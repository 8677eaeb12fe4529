from __future__ import annotations

import pytest
import torch
from reference_values import load_tool, settle_statistics

from sod_plugins.data import find_pairs, generate_scenes
from sod_plugins.inference import OnnxRuntimeNetwork, export_network
from sod_plugins.networks import CSNet, Preprocessing

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxscript')
pytest.importorskip('onnxruntime')


def test_eight_bits_are_compared_with_the_network_they_stand_for(tmp_path):
    torch.manual_seed(0)
    network = CSNet(stage_blocks=(1, 1, 1, 1), fuse_stages=(4,))
    settle_statistics(network, torch.randn(8, 3, 64, 64))
    network.preprocessing = Preprocessing(size=(32, 48))
    pairs = find_pairs(generate_scenes(tmp_path / 'scenes', 3, seed=0, size=(40, 56)))
    exact, rounded = tmp_path / 'exact.onnx', tmp_path / 'int8.onnx'
    export_network(network, exact)
    tool = load_tool('analysis_tools/inference_precision.py')
    tool.quantize(exact, rounded, [pair.image for pair in pairs], network.preprocessing)

    nodes = onnx.load(rounded).graph.node
    assert 'QuantizeLinear' in {node.op_type for node in nodes}
    made_by = {output: node.op_type for node in nodes for output in node.output}
    classifier = [node for node in nodes if node.op_type == 'Conv'][-1]
    assert made_by.get(classifier.input[1]) is None  # its weights are as they were

    names = {'exact': exact, 'again': exact, 'int8': rounded}
    networks = {name: OnnxRuntimeNetwork(path, 1) for name, path in names.items()}
    results = tool.measure(networks, pairs)
    assert results['again'][:2] == (results['exact'][0], 0.0)
    assert 0 < results['int8'][1] < 0.05
