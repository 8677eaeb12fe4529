"""What is refused before an engine opens an ONNX file."""

from __future__ import annotations

import pytest

from sod_plugins.inference import onnx_file
from sod_plugins.inference.onnx_file import OnnxContent

onnx = pytest.importorskip('onnx')
helper = onnx.helper


def written(nodes, functions=()):
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in 'xy']
    graph = helper.make_graph(nodes, 'graph', values[:1], values[1:])
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('own', 1)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions).SerializeToString()


def chain(count):
    return [helper.make_node('Sin', ['x'], ['y']) for _ in range(count)]


def test_operators_are_counted_in_inner_graphs_too(monkeypatch):
    monkeypatch.setattr(onnx_file, 'MOST_OPERATORS', 10)
    inner = helper.make_graph(chain(4), 'inner', [], [])
    branches = helper.make_node('If', ['x'], ['y'], then_branch=inner, else_branch=inner)
    OnnxContent(written(chain(10))).refuse_absurd_graphs()
    OnnxContent(written([branches, *chain(1)])).refuse_absurd_graphs()
    for nodes in (chain(11), [branches, *chain(2)]):
        with pytest.raises(ValueError, match='more than 10 operators'):
            OnnxContent(written(nodes)).refuse_absurd_graphs()


def test_functions_are_refused():
    """Ten calls of ten calls of ... are many operators in few bytes."""
    opset = [helper.make_opsetid('', 17)]
    function = helper.make_function('own', 'F', ['x'], ['y'], chain(1), opset)
    with pytest.raises(ValueError, match='holds functions'):
        OnnxContent(written(chain(1), [function])).refuse_absurd_graphs()


def test_opsets_that_there_are_not_are_refused():
    def of_opset(version):
        graph = helper.make_graph([], 'graph', [], [])
        opsets = [helper.make_opsetid('', version)]
        return OnnxContent(helper.make_model(graph, opset_imports=opsets).SerializeToString())

    of_opset(17).refuse_absurd_opsets()
    for version in (1001, 2**62, -1):
        with pytest.raises(ValueError, match='is of opset'):
            of_opset(version).refuse_absurd_opsets()


@pytest.mark.parametrize('content', [b'', b'\xff' * 10**6, b'\x3a', b'\x3a\xff\xff\xff\xff\x7f'])
def test_damaged_files_are_read_as_far_as_they_go(content):
    OnnxContent(content).refuse_absurd_graphs()
    OnnxContent(content).refuse_absurd_opsets()


def test_a_file_of_nothing_but_fields_is_refused():
    with pytest.raises(ValueError, match='more than 1,000,000 fields'):
        OnnxContent(b'\x08\x00' * 1_000_001).refuse_absurd_graphs()
