"""Hostile ``.onnx`` and ``.xml`` files for both engines: none may run code, crash or hang them.

    python tests/hostile/onnx_files.py            the whole corpus, with a table
    python tests/hostile/onnx_files.py --part 10  every tenth file

What is counted is said in ``hostile_runs.py``.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hostile_runs import Corpus, Reader, clean, command, main
from onnx import ModelProto, TensorProto, helper

SIDE = 16
DESCRIBED = {
    'network': 'Toy',
    'preprocessing': {
        'size': [SIDE, SIDE],
        'mean': [1.0, 2.0, 3.0],
        'std': [4.0, 5.0, 6.0],
    },
}
GOOD = [('ReduceMean', ['image'], ['logits'], {'axes': [1], 'keepdims': 1})]
TRIAL = 5.0  # seconds, in which a file has to compute an image here


def numbers(name: str, values: Any, kind: int = TensorProto.INT64) -> Any:
    """Return a constant of a graph."""
    array = np.array(values)
    return helper.make_tensor(name, kind, array.shape, array.reshape(-1).tolist())


def model(
    nodes: list[Any] = GOOD,
    constants: tuple[Any, ...] = (),
    described: Any = DESCRIBED,
    **changes: Any,
) -> bytes:
    """Return a file, by default a good one: the mean of the channels."""
    made = [
        helper.make_node(node[0], node[1], node[2], **node[3]) if isinstance(node, tuple) else node
        for node in nodes
    ]
    given = {'image': [None, 3, SIDE, SIDE], 'logits': [None, 1, SIDE, SIDE], **changes}
    inputs = [helper.make_tensor_value_info('image', TensorProto.FLOAT, given['image'])]
    outputs = [helper.make_tensor_value_info('logits', TensorProto.FLOAT, given['logits'])]
    graph = helper.make_graph(made, 'graph', inputs, outputs, constants)
    opset = helper.make_opsetid(changes.get('domain', ''), changes.get('opset', 17))
    whole = helper.make_model(graph, opset_imports=[opset], ir_version=changes.get('ir', 8))
    if described is not None:
        text = described if isinstance(described, str) else json.dumps(described)
        helper.set_model_props(whole, {'sod_plugins': text})
    return bytes(whole.SerializeToString())


def loop(count: int, body: list[Any], inner: tuple[Any, ...] = ()) -> list[Any]:
    """Return nodes that repeat others, which take ``state`` to ``next``."""
    values = [
        helper.make_tensor_value_info('turn', TensorProto.INT64, []),
        helper.make_tensor_value_info('go', TensorProto.BOOL, []),
        helper.make_tensor_value_info('state', TensorProto.FLOAT, None),
    ]
    results = [
        helper.make_tensor_value_info('still', TensorProto.BOOL, []),
        helper.make_tensor_value_info('next', TensorProto.FLOAT, None),
    ]
    again = helper.make_node('Identity', ['go'], ['still'])
    graph = helper.make_graph([again, *body], 'body', values, results, inner)
    return [
        ('ReduceMean', ['image'], ['start'], {'axes': [1], 'keepdims': 1}),
        ('Constant', [], ['count'], {'value': numbers('count', count)}),
        ('Constant', [], ['true'], {'value': numbers('true', True, TensorProto.BOOL)}),
        ('Loop', ['count', 'true', 'start'], ['logits'], {'body': graph}),
    ]


def multiplied(levels: int = 9) -> bytes:
    """Return a file whose functions call each other ten times a level."""
    opsets = [helper.make_opsetid('', 17), helper.make_opsetid('own', 1)]
    functions = []
    for level in range(levels):
        kind = ('Sin', '') if not level else (f'F{level - 1}', 'own')
        nodes = [
            helper.make_node(kind[0], [f'x{k}'], [f'x{k + 1}'], domain=kind[1]) for k in range(10)
        ]
        functions.append(helper.make_function('own', f'F{level}', ['x0'], ['x10'], nodes, opsets))
    call = helper.make_node(f'F{levels - 1}', ['mean'], ['logits'], domain='own')
    whole = ModelProto.FromString(model([GOOD_MEAN, call]))
    whole.opset_import.append(opsets[1])
    whole.functions.extend(functions)
    return bytes(whole.SerializeToString())


def graph_files() -> Iterator[tuple[str, bytes]]:
    """Yield graphs that never end, take all memory, or fit nothing."""
    step = [helper.make_node('Sin', ['state'], ['next'])]
    grow = [helper.make_node('Concat', ['state', 'state'], ['next'], axis=3)]
    for count in (2**40, 2**62, -1):
        yield f'loop-{count}', model(loop(count, step))
    yield 'loop-grows', model(loop(100, grow))
    mean = {'axes': [1], 'keepdims': 1}
    for name, size in {'large': 10**12, 'huge': 2**61, 'negative': -5}.items():
        shape = numbers('shape', [1, 1, size, 4])
        yield (
            f'fill-{name}',
            model([('ConstantOfShape', ['shape'], ['logits'], {})], (shape,)),
        )
        repeats = numbers('repeats', [1, 1, 1, size])
        yield (
            f'tile-{name}',
            model([GOOD_MEAN, ('Tile', ['mean', 'repeats'], ['logits'], {})], (repeats,)),
        )
        target = numbers('target', [size, 1, SIDE, SIDE])
        yield (
            f'expand-{name}',
            model([GOOD_MEAN, ('Expand', ['mean', 'target'], ['logits'], {})], (target,)),
        )
        bounds = (numbers('a', 0), numbers('b', size), numbers('c', 1))
        range_ = [
            ('Range', ['a', 'b', 'c'], ['many'], {}),
            ('Cast', ['many'], ['logits'], {'to': TensorProto.FLOAT}),
        ]
        yield f'range-{name}', model(range_, bounds)
        pads = numbers('pads', [0, 0, 0, size, 0, 0, 0, size])
        yield (
            f'pad-{name}',
            model([GOOD_MEAN, ('Pad', ['mean', 'pads'], ['logits'], {})], (pads,)),
        )
    scales = numbers('scales', [1.0, 1.0, 1e6, 1e6], TensorProto.FLOAT)
    resize = ('Resize', ['mean', '', 'scales'], ['logits'], {})
    yield 'resize', model([GOOD_MEAN, resize], (scales,))
    for name, place in {
        'passwd': '/etc/passwd',
        'outside': '../../../../etc/passwd',
        'device': '/dev/zero',
        'pipe': 'pipe.onnx',
        'beside': 'good.bin',
    }.items():
        outside = TensorProto(name='w', data_type=TensorProto.FLOAT, dims=[1, 1, 1, 1])
        outside.data_location = TensorProto.EXTERNAL
        for key, value in {'location': place, 'offset': '0', 'length': '4'}.items():
            outside.external_data.add(key=key, value=value)
        yield (
            f'external-{name}',
            model([GOOD_MEAN, ('Mul', ['mean', 'w'], ['logits'], {})], (outside,)),
        )
    short = TensorProto(name='w', data_type=TensorProto.FLOAT, dims=[2**20, 2**20], raw_data=b'12')
    yield 'short-weights', model([GOOD_MEAN, ('Mul', ['mean', 'w'], ['logits'], {})], (short,))
    for count in (1_000, 10_000):
        chain = [('Sin', [f'x{k}'], [f'x{k + 1}'], {}) for k in range(count)]
        start = ('ReduceMean', ['image'], ['x0'], mean)
        yield f'long-{count}', model([start, *chain, ('Identity', [f'x{count}'], ['logits'], {})])
    yield 'functions', multiplied()
    nested: list[Any] = step
    for _ in range(12):
        inner = loop(2, nested)[1:]
        body = [
            helper.make_node(*node[:3], **node[3]) if isinstance(node, tuple) else node
            for node in inner
        ]
        body[-1].input[2], body[-1].output[0] = 'state', 'next'
        nested = body
    yield 'nested', model(loop(1, nested))
    for name, nodes in {
        'absent': [('ReduceMean', ['other'], ['logits'], mean)],
        'cycle': [('Add', ['image', 'b'], ['a'], {}), ('Add', ['a', 'a'], ['b'], {})],
        'twice': [*GOOD, *GOOD],
        'unknown': [('Evil', ['image'], ['logits'], {})],
        'foreign': [('Evil', ['image'], ['logits'], {'domain': 'com.evil'})],
        'python': [
            ('PyOp', ['image'], ['logits'], {'domain': 'ai.onnx.contrib', 'code': 'exit()'})
        ],
        'no-nodes': [],
        'no-output': [('ReduceMean', ['image'], ['mean'], mean)],
        'wrong-shape': [('Identity', ['image'], ['logits'], {})],
        'wrong-type': [('Cast', ['image'], ['logits'], {'to': TensorProto.STRING})],
        'attribute': [('ReduceMean', ['image'], ['logits'], {'axes': [10**9], 'keepdims': 7})],
        'divides': [('Div', ['image', 'image'], ['logits'], {})],
    }.items():
        yield f'nodes-{name}', model(nodes)
    for name, changes in {
        'image': {'image': [None, 1, 2, 3]},
        'scalar': {'image': []},
        'deep': {'image': [1] * 500},
        'opset': {'opset': 10**9},
        'old': {'opset': 1},
        'ir': {'ir': 10**9},
        'domain': {'domain': 'com.evil'},
        'logits': {'logits': [2**40] * 4},
        'below': {'logits': [-1, -2, -3, -4]},
    }.items():
        yield f'model-{name}', model(**changes)


GOOD_MEAN = ('ReduceMean', ['image'], ['mean'], {'axes': [1], 'keepdims': 1})


def descriptions() -> Iterator[tuple[str, Any]]:
    """Yield what a file may wrongly say about itself."""
    wrong: tuple[Any, ...] = (None, True, -1, 1e308, '', 'x' * 10**5, [], {}, [1, None, 'a'])
    for index, value in enumerate(wrong):
        for key in ('network', 'preprocessing'):
            yield f'{key}-{index}', {**DESCRIBED, key: value}
        for key in ('size', 'mean', 'std'):
            changed = {**DESCRIBED['preprocessing'], key: value}
            yield f'{key}-{index}', {**DESCRIBED, 'preprocessing': changed}
    for size in ([10**9, 10**9], [0, 0], [SIDE, SIDE, 3], [8, 8], [1 << 14, 1 << 14]):
        changed = {**DESCRIBED['preprocessing'], 'size': size}
        yield f'size-{size}', {**DESCRIBED, 'preprocessing': changed}
    yield from (('none', None), ('text', 'no JSON'), ('deep', '[' * 10**5), ('list', '[1]'))


def damaged(name: str, content: bytes, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Cut a good file off, and change single bytes."""
    rng = random.Random(0)
    for part in range(12):
        yield f'{name}-cut-{part:02d}{suffix}', content[: len(content) * part // 12]
    for number in range(24):
        changed = bytearray(content)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        yield f'{name}-flipped-{number:02d}{suffix}', bytes(changed)


class _Executes:
    def __reduce__(self) -> Any:
        return os.system, ('touch "$HOSTILE_CANARY"',)


def other_files(suffix: str) -> Iterator[tuple[str, bytes]]:
    """Yield what is no network at all."""
    for name, content in {
        'text': b'network',
        'zeros': b'\0' * 999,
        'pickle': pickle.dumps(_Executes(), 2),
        'zip': b'PK\x03\x04' + b'\0' * 99,
        'page': b'<!DOCTYPE html><html></html>',
        'lfs': b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n',
        'photo': b'\xff\xd8\xff\xe0' + b'\0' * 99,
        'open': b'<' * 10**5,
    }.items():
        yield f'other-{name}{suffix}', content


def xml_files(text: str) -> Iterator[tuple[str, str]]:
    """Yield changes of a good file of OpenVINO."""
    names = ['b', *(f'b{k}' for k in range(12))]
    entities = '<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
    for name, before in zip(names[1:], names, strict=False):
        entities += '<!ENTITY ' + name + ' "' + f'&{before};' * 10 + '">'
    body = text.partition('?>')[2]
    yield 'bomb', f'<?xml version="1.0"?>{entities}]>{body.replace("Toy", "&b11;")}'
    outside = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    yield 'entity', f'<?xml version="1.0"?>{outside}{body.replace("Toy", "&x;")}'
    yield 'deep', '<?xml version="1.0"?>' + '<net>' * 10**5
    yield 'deep-closed', '<?xml version="1.0"?>' + '<net>' * 10**5 + '</net>' * 10**5
    wrong = ('', '-1', '99999999999', '1e9', 'text', '9' * 1000, '0')
    for key in (
        'offset',
        'size',
        'shape',
        'element_type',
        'type',
        'version',
        'from-layer',
        'to-port',
    ):
        for index, value in enumerate(wrong):
            changed = re.sub(f'( {key}=)"[^"]*"', f'\\1"{value}"', text, count=1)
            if changed != text:
                yield f'{key}-{index}', changed
    for tag in ('layers', 'edges', 'layer', 'edge', 'port', 'dim', 'data', 'output', 'input'):
        yield f'without-{tag}', re.sub(f'</?{tag}\\b[^>]*>', '', text)
    yield 'dims', re.sub('<dim>[^<]*</dim>', f'<dim>{2**40}</dim>', text)


def write_corpus(folder: Path, part: int) -> list[str]:
    """Write every ``part``-th file, and what is no regular file, and return their names."""
    good, weights = openvino_files()
    files: list[tuple[str, bytes]] = [('good.onnx', model())]
    files += [(f'graph-{name}.onnx', content) for name, content in graph_files()]
    files += [(f'says-{name}.onnx', model(described=what)) for name, what in descriptions()]
    files += [*damaged('onnx', model(), '.onnx'), *other_files('.onnx'), *other_files('.xml')]
    files += [('good.xml', good), *damaged('xml', good, '.xml')]
    files += [(f'xml-{name}.xml', text.encode()) for name, text in xml_files(good.decode())]
    names = []
    for name, content in files[::part]:
        names.append(clean(name))
        (folder / names[-1]).write_bytes(content)
        if name.endswith('.xml'):
            (folder / names[-1]).with_suffix('.bin').write_bytes(weights)
    for index, content in enumerate((None, b'', weights[: len(weights) // 2], b'\xff' * 10**6)):
        (folder / f'weights-{index}.xml').write_bytes(good)
        if content is not None:
            (folder / f'weights-{index}.bin').write_bytes(content)
    (folder / 'piped.xml').write_bytes(good)
    os.mkfifo(folder / 'piped.bin')
    for suffix in ('.onnx', '.xml'):
        os.mkfifo(folder / f'pipe{suffix}')
        (folder / f'endless{suffix}').symlink_to('/dev/zero')
        (folder / f'folder{suffix}').mkdir()
        names += [f'{what}{suffix}' for what in ('pipe', 'endless', 'folder', 'absent')]
    return [*names, *(f'weights-{index}.xml' for index in range(4)), 'piped.xml']


def openvino_files() -> tuple[bytes, bytes]:
    """Return a good file of OpenVINO and its weights."""
    import openvino

    scale = numbers('scale', [[[[0.5]]]], TensorProto.FLOAT)
    content = model([GOOD_MEAN, ('Mul', ['mean', 'scale'], ['logits'], {})], (scale,))
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, 'a.onnx')
        source.write_bytes(content)
        network = openvino.convert_model(source)
        network.set_rt_info(json.dumps(DESCRIBED), ['sod_plugins'])
        openvino.save_model(network, Path(folder, 'a.xml'), compress_to_fp16=False)
        return Path(folder, 'a.xml').read_bytes(), Path(folder, 'a.bin').read_bytes()


def predict(path: Path, folder: Path, *words: str) -> None:
    from sod_plugins.inference import engines

    engines.TRIAL_SECONDS = TRIAL
    where = (folder / 'data/images', '-o', folder / 'out', '--overwrite')
    status = command('predict', *where, '--checkpoint', path, *words)
    assert path.stem != 'good' or status == 0


def onnxruntime(path: Path, folder: Path) -> None:
    predict(path, folder, '--backend', 'onnxruntime')


def openvino(path: Path, folder: Path) -> None:
    predict(path, folder, '--backend', 'openvino')


READERS: tuple[Reader, ...] = (onnxruntime, openvino)


def make_good_files(folder: Path) -> None:
    """Write photos for the readers."""
    from sod_plugins.data import generate_scenes

    generate_scenes(folder / 'data', 1, size=(48, 64))


CORPUS = Corpus(
    write_corpus,
    make_good_files,
    READERS,
    takes=lambda reader, name: reader == 'openvino' or name.endswith('.onnx'),
    memory=12 << 30,
)


if __name__ == '__main__':
    sys.exit(main(CORPUS, 'Give hostile ONNX and OpenVINO files to both engines.'))
