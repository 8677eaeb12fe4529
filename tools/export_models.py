"""Write the ``.onnx`` file of models of the zoo, which ``sod predict`` runs without torch.

Run it whenever the weights of a model change; it also rewrites the model's card, and for the
default model the map that ``sod doctor`` expects. Large weights are stored in half precision, as in
the model's own file, and computed with in single.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sod_plugins import zoo
from sod_plugins._common.reading import sha256_of
from sod_plugins._common.writing import write_bytes, write_text
from sod_plugins.cli.doctor.scene import write_expected
from sod_plugins.inference.export import export_network
from sod_plugins.zoo.cards import CARDS
from sod_plugins.zoo.resolver import PACKAGE

SMALL = 10_000  # weights of a tensor that is left in single precision


def main() -> None:
    """Export the models that are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('models', nargs='+', metavar='NAME', help='a model that sod models lists')
    for name in parser.parse_args().models:
        print(export_model(name))


def export_model(name: str) -> Path:
    """Write the ``.onnx`` file of a model beside its weights, and say so in its card."""
    card = zoo.model_card(name)
    if card.file is None or not card.packaged:
        raise SystemExit(f'the weights of {name} are not within the package')
    exported = Path(card.file).with_suffix('.onnx')
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'network.onnx')
        export_network(zoo.load(name), file)
        write_bytes(PACKAGE / exported, halved(onnx.load(file)).SerializeToString())
    path = CARDS / f'{name}.json'
    values = json.loads(path.read_text('utf-8'))
    values.update(
        exported=exported.as_posix(),
        exported_from=card.sha256,
        exported_sha256=sha256_of(PACKAGE / exported),
    )
    write_text(path, json.dumps(values, indent=1) + '\n')
    zoo.cards._cards.cache_clear()
    if name == zoo.default_model():
        write_expected(name)
    return PACKAGE / exported


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large weights in half precision, and drop what only the exporter's debugger reads."""
    graph = model.graph
    weights, casts = [], []
    for weight in graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and np.prod(weight.dims) > SMALL:
            stored = f'{weight.name}_half'
            half = numpy_helper.to_array(weight).astype(np.float16)
            weights.append(numpy_helper.from_array(half, stored))
            casts.append(helper.make_node('Cast', [stored], [weight.name], to=1))
        else:
            weights.append(weight)
    nodes = [*casts, *graph.node]
    for node in nodes:
        del node.metadata_props[:]
        node.doc_string = ''
    for field, values in ((graph.initializer, weights), (graph.node, nodes)):
        copies = [type(value).FromString(value.SerializeToString()) for value in values]
        del field[:]
        field.extend(copies)
    del graph.value_info[:]
    return model


if __name__ == '__main__':
    main()
