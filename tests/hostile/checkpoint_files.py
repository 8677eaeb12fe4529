"""Hostile checkpoints and ``.bin`` files for whatever reads one: none may run, crash or hang it.

    python tests/hostile/checkpoint_files.py            the whole corpus, with a table
    python tests/hostile/checkpoint_files.py --part 10  every tenth file

What is counted is said in ``hostile_runs.py``.
"""

from __future__ import annotations

import copy
import io
import json
import os
import pickle
import random
import runpy
import struct
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hostile_runs import Corpus, Reader, clean, command, main

from sod_plugins.networks import CSNet, save_network

DESCRIPTION = 'sod_plugins'  # the key of a network's description
SMALL = {'width': 0.1, 'stage_blocks': (1, 1, 1, 1), 'weight_scale': 1.0}
CANARY = os.environ.get('HOSTILE_CANARY', 'canary')
TOUCH = f'open({CANARY!r}, "w").close()'

# As text that checkpoints of trainings hold, of which only plain keywords are read.
KEYWORDS = ', '.join(f'{name}={value!r}' for name, value in SMALL.items())
CONFIG = f"""
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=dict(
        type='SegDataPreProcessor', mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], size_divisor=1),
    backbone=dict(type='sod_plugins.CSNet', {KEYWORDS}),
    decode_head=dict(type='sod_plugins.CSFHead', in_channels=(4, 8, 8), weight_scale=1.0),
    train_cfg=dict(), test_cfg=dict(mode='whole'))
"""
TEST = """
default_scope = 'mmseg'
test_dataloader = dict(
    batch_size=1, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='sod_plugins.SaliencyDataset', data_root='DATA', test_mode=True, pipeline=[
        dict(type='sod_plugins.LoadSaliencyImage'),
        dict(type='sod_plugins.ResizeSaliency', size=(32, 32)),
        dict(type='sod_plugins.PackSaliencyInputs')]))
test_evaluator = dict(type='sod_plugins.SaliencyMetric')
test_cfg = dict()
"""
TRAIN = """
train_dataloader = dict(
    batch_size=1, sampler=dict(type='sod_plugins.DrawSampler', infinite=True),
    dataset=dict(type='sod_plugins.SaliencyDataset', data_root='DATA', pipeline=[
        dict(type='sod_plugins.LoadSaliencyImage'), dict(type='sod_plugins.LoadSaliencyMask'),
        dict(type='sod_plugins.ResizeSaliency', size=(32, 32)),
        dict(type='sod_plugins.PackSaliencyInputs')]))
optim_wrapper = dict(optimizer=dict(type='Adam', lr=1e-4))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=1)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1))
"""


# --- what a file tries to call -------------------------------------------------------------------


class Call:
    """Pickled as the call of a function that it names."""

    def __init__(self, name: str, *arguments: Any) -> None:
        self.name, self.arguments = name, arguments


class Name:
    """Pickled as a function or class that it names."""

    def __init__(self, name: str) -> None:
        self.name = name


def getattr_chain(start: str, *names: Any) -> Any:
    """Return a chain of attributes from something that torch itself trusts."""
    value: Any = Name(start)
    for name in names:
        value = Call('builtins.getattr', value, name)
    return value


CALLS: dict[str, Any] = {
    'exec': Call('builtins.exec', TOUCH),
    'eval': Call('builtins.eval', TOUCH),
    'system': Call('posix.system', f'touch {CANARY}'),
    'os': Call('os.system', f'touch {CANARY}'),
    'popen': Call('subprocess.Popen', ['touch', CANARY]),
    'run': Call('subprocess.check_output', ['touch', CANARY]),
    'open': Call('builtins.open', CANARY, 'w'),
    'import': Call('builtins.__import__', 'antigravity'),
    'module': Call('importlib.import_module', 'this'),
    'write': Call('pathlib.Path.write_text', Call('pathlib.Path', CANARY), 'x'),
    'touch': Call('pathlib.Path.touch', Call('pathlib.PosixPath', CANARY)),
    'partial': Call('functools.partial', Name('os.system'), f'touch {CANARY}'),
    'reduce': Call('functools.reduce', Name('os.system'), [f'touch {CANARY}']),
    'map': Call('builtins.list', Call('builtins.map', Name('os.system'), [f'touch {CANARY}'])),
    'code': Call(
        'code.interact',
    ),
    'pty': Call('pty.spawn', ['touch', CANARY]),
    'runpy': Call('runpy.run_path', '/dev/stdin'),
    'timeit': Call('timeit.timeit', TOUCH, 'pass'),
    'pdb': Call('pdb.run', TOUCH),
    'cprofile': Call('cProfile.run', TOUCH),
    'config': Call('mmengine.Config.fromstring', TOUCH, '.py'),
    'build': Call('mmengine.registry.MODELS.build', {'type': 'ToyEvil'}),
    'torch_load': Call('torch.load', '/dev/zero'),
    'hub': Call('torch.hub.load_state_dict_from_url', f'file://{CANARY}'),
    'safe': Call('torch.serialization.add_safe_globals', [Name('os.system')]),
    'default_dtype': Call('torch.set_default_dtype', Name('torch.float16')),
    'numpy_load': Call('numpy.load', '/dev/zero'),
    'numpy_fromfile': Call('numpy.fromfile', '/dev/zero'),
    'attr': Call(
        'torch._utils._rebuild_parameter', Call('operator.attrgetter', 'system'), False, {}
    ),
    'chain_globals': Call(
        'builtins.eval',
        TOUCH,
    ),
    'globals': Call(
        'builtins.getattr',
        getattr_chain('torch._utils._rebuild_parameter', '__globals__'),
        'get',
    ),
    'builtins': getattr_chain('builtins.getattr', '__self__', 'exec'),
    'subclasses': getattr_chain('builtins.object', '__subclasses__'),
    'wrapper': Call(
        'torch._tensor._rebuild_from_type_v2',
        Name('os.system'),
        Name('torch.Tensor'),
        (f'touch {CANARY}',),
        {},
    ),
    'wrapper_subclass': Call(
        'torch._utils._rebuild_wrapper_subclass',
        Name('os.system'),
        Name('torch.float32'),
        (1,),
        (1,),
        0,
        None,
        'cpu',
        False,
    ),
}
CALLS['globals_call'] = Call('builtins.getattr', CALLS['globals'], '__call__')


class Pickler:
    """Writes pickles of any content by hand, so that none of it is run while it is written."""

    def __init__(self, protocol: int = 2) -> None:
        self.protocol = protocol

    def dump(self, value: Any) -> bytes:
        head = b'\x80' + bytes([self.protocol]) if self.protocol > 1 else b''
        return head + self.code(value) + b'.'

    def code(self, value: Any) -> bytes:
        if isinstance(value, Call):
            arguments = b''.join(map(self.code, value.arguments))
            return self.name(value.name) + b'(' + arguments + b'tR'
        if isinstance(value, Name):
            return self.name(value.name)
        if type(value) in (dict, OrderedDict):
            items = b''.join(self.code(k) + self.code(v) for k, v in value.items())
            return b'(' + items + b'd'
        if isinstance(value, list):
            return b'(' + b''.join(map(self.code, value)) + b'l'
        if isinstance(value, tuple):
            return b'(' + b''.join(map(self.code, value)) + b't'
        if isinstance(value, str):
            encoded = value.encode()
            return b'X' + struct.pack('<I', len(encoded)) + encoded
        if value is None:
            return b'N'
        if isinstance(value, bool):
            return b'I01\n' if value else b'I00\n'
        if isinstance(value, int):
            return f'L{value}L\n'.encode()
        if isinstance(value, float):
            return b'G' + struct.pack('>d', value)
        if isinstance(value, torch.Tensor):  # its values are the record '0'
            size = b'(' + b''.join(map(self.code, value.shape)) + b't'
            stride = b'(' + b''.join(map(self.code, value.stride())) + b't'
            storage = ('storage', Name('torch.FloatStorage'), '0', 'cpu', value.numel())
            parts = self.code(storage) + b'Q' + self.code(0) + size + stride + self.code(False)
            return self.name('torch._utils._rebuild_tensor_v2') + b'(' + parts + b'}tR'
        raise TypeError(type(value))

    def name(self, name: str) -> bytes:
        module, _, attribute = name.rpartition('.')
        if self.protocol >= 4:
            return self.code(module) + self.code(attribute) + b'\x93'
        return f'c{module}\n{attribute}\n'.encode()


def zipped(pickled: bytes, values: bytes = b'\0' * 64, **options: Any) -> bytes:
    """Return a file of torch's present format."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, 'w', **options) as archive:
        archive.writestr('archive/data.pkl', pickled)
        archive.writestr('archive/byteorder', 'little')
        archive.writestr('archive/data/0', values)
        archive.writestr('archive/version', '3\n')
    return content.getvalue()


def legacy(pickled: bytes) -> bytes:
    """Return a file of torch's older format."""
    heads = (0x1950A86A20F9469CFC6C, 1001, {'little_endian': True})
    return b''.join(pickle.dumps(head, 2) for head in heads) + pickled + pickle.dumps([], 2)


# --- the corpus ----------------------------------------------------------------------------------


def code_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that call something."""
    containers = (('zip', zipped), ('legacy', legacy), ('raw', bytes))
    for index, (name, call) in enumerate(CALLS.items()):
        places = {
            'top': call,
            'weights': {'state_dict': {'weight': call}},
            'meta': {'state_dict': {}, 'meta': {'cfg': call, 'config': TOUCH}},
            'hub': {'message_hub': {'log_scalars': {'a': call}}, 'meta': {'epoch': 0, 'iter': 0}},
            'key': {DESCRIPTION: call},
        }
        for place, content in places.items():
            for number, (kind, wrap) in enumerate(containers):
                if place not in ('top', 'weights') and (index + number) % 3:
                    continue
                protocol = (0, 2, 4)[(index + number) % 3]
                yield f'call-{name}-{place}-{kind}.pth', wrap(Pickler(protocol).dump(content))


def good() -> dict[str, Any]:
    """Return the content of a good training checkpoint."""
    network = CSNet(**SMALL)
    state = {
        key.replace('backbone.', 'backbone.net.').replace('decode_head.', 'decode_head.net.'): value
        for key, value in network.state_dict().items()
    }
    hub = {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}}
    meta = {'cfg': CONFIG + TEST, 'epoch': 0, 'iter': 0, 'seed': 0, 'dataset_meta': None}
    optimizer = torch.optim.Adam(network.parameters()).state_dict()
    return {'meta': meta, 'state_dict': state, 'message_hub': hub, 'optimizer': optimizer}


def torch_file(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def data_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files without code, whose values are wrong."""
    described = folder / 'described.pth'
    save_network(described, CSNet(**SMALL))
    network = torch.load(described, weights_only=True)
    description = network.get(DESCRIPTION, network)
    widths = {
        'backbone': {'block_widths': [[2, 2], [8], [8], [8]]},
        'decode_head': {
            'in_channels': [4, 8, 8],
            'fuse_channels': None,
            'dilated_channels': None,
            'channels': 6,
        },
    }
    nested: Any = 1
    for _ in range(150):
        nested = [nested]

    def described_by(**changes: Any) -> Any:
        content = copy.deepcopy(network)
        content.get(DESCRIPTION, content).update(changes)  # flat in older versions
        return content

    def trained_by(*path: str, value: Any) -> Any:
        content = inner = good()
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return content

    wrong = (None, True, -1, 10**30, 1.5, float('nan'), '', 'x' * 10**5, [], {}, [1, None], nested)
    for index, value in enumerate(wrong):
        for field in ('format', 'network', 'arguments', 'preprocessing', 'prefixes'):
            yield f'description-{field}-{index}.pth', torch_file(described_by(**{field: value}))
        for path in (
            ('meta',),
            ('meta', 'cfg'),
            ('meta', 'iter'),
            ('meta', 'seed'),
            ('state_dict',),
            ('message_hub',),
            ('message_hub', 'log_scalars'),
            ('message_hub', 'runtime_info'),
            ('optimizer',),
            ('optimizer', 'state'),
            ('optimizer', 'param_groups'),
        ):
            yield (
                f'trained-{"-".join(path)}-{index}.pth',
                torch_file(trained_by(*path, value=value)),
            )
        for name in ('pruned_model', 'exact_resume', 'param_schedulers', 'ema_state_dict'):
            yield f'trained-{name}-{index}.pth', torch_file({**good(), name: value})
        arguments = {**description['arguments'], 'width': value}
        yield f'width-{index}.pth', torch_file(described_by(arguments=arguments))
    absurd = {
        'width': 1e5,
        'stage_blocks': (10**6, 1, 1, 1),
        'weight_scale': 1e300,
        'fuse_stages': tuple(range(10**5)),
        'split_ratio': (10**6, 1),
        'vanilla': 'yes',
        'learned_widths': {'blocks': [[10**6]] * 5000},
        'other': 3,
    }
    for name, value in absurd.items():
        arguments = {**description['arguments'], name: value}
        yield f'absurd-{name}.pth', torch_file(described_by(arguments=arguments))
    for size in ((0, 0), (-1, 5), (10**9, 10**9), (1.5, 2), 'ab', (1,)):
        preprocessing = {**description['preprocessing'], 'size': size}
        yield f'size-{size}.pth', torch_file(described_by(preprocessing=preprocessing))
    registry = [
        {'type': 'mmseg.CrossEntropyLoss'},
        {'type': 'Pretrained', 'checkpoint': '/dev/zero'},
        {'type': 'sod_plugins.BackboneWeights', 'checkpoint': '/etc/passwd'},
    ]
    for index, entry in enumerate(registry):
        for part, key in (
            ('decode_head', 'loss_decode'),
            ('backbone', 'init_cfg'),
            ('decode_head', 'type'),
            ('backbone', 'block_widths'),
        ):
            changed = copy.deepcopy(widths)
            changed[part][key] = entry
            yield (
                f'registry-{index}-{part}-{key}.pth',
                torch_file({**good(), 'pruned_model': changed}),
            )
    for number in (float('nan'), float('inf')):
        content = good()
        next(iter(content['state_dict'].values())).fill_(number)
        yield f'weights-{number}.pth', torch_file(content)
    for name, change in {
        'shape': lambda s: s.update({k: v[:1] for k, v in s.items() if v.dim()}),
        'missing': lambda s: s.popitem(),
        'more': lambda s: s.update(more=torch.ones(2)),
        'names': lambda s: s.update({3: torch.ones(2)}),
        'text': lambda s: s.update(text='weights'),
        'double': lambda s: s.update({k: v.double() for k, v in s.items()}),
    }.items():
        content = good()
        change(content['state_dict'])
        yield f'state-{name}.pth', torch_file(content)
    texts = {
        'code': f'import os\n{TOUCH}\n',
        'call': 'model = dict(type=exec("1"))',
        'open': CONFIG.replace('dict(mode', 'open(mode'),
        'parentheses': 'model = ' + '(' * 10**5,
        'minus': 'model = ' + '-' * 10**5 + '1',
        'attributes': 'model = a' + '.a' * 10**5,
        'sum': 'model = 1' + '+1' * 10**5,
        'lists': 'model = ' + '[' * 90 + ']' * 90,
        'zeros': 'model = ' + '9' * 10**5,
        'null': 'model = "\0"',
        'long': '#' * 10**7,
        'power': 'model = 9**9**9',
        'stars': 'model = dict(**{1: 2})',
        'bytes': 'model = b"\xff"',
    }
    for name, text in texts.items():
        yield f'text-{name}.pth', torch_file(trained_by('meta', 'cfg', value=text + TEST))
        yield f'config-{name}.pth', torch_file(trained_by('meta', 'config', value=text))


def broken_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield files that are damaged, of another kind, or made to exhaust a reader."""
    good_file = torch_file(good())
    for index in range(12):
        yield f'cut-{index}.pth', good_file[: len(good_file) * index // 12]
    rng = random.Random(0)
    for index in range(25):
        damaged = bytearray(good_file)
        for _ in range(1 + index):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        yield f'flipped-{index}.pth', bytes(damaged)
    for kind, wrap in (('zip', zipped), ('legacy', legacy), ('raw', bytes)):
        bombs = {
            'lists': b']' * 10**5 + b'a' * (10**5 - 1) + b'.',
            'tuples': b')' + b'\x85' * 10**5 + b'.',
            'dict_keys': b'}' + b')' + b'\x85' * 10**5 + b'K\x01s.',
            'sets': b'\x8f(' + b')' + b'\x85' * 10**5 + b'\x90.',
            'itself': b']q\x00h\x00a.',
            'itself_dict': b'}q\x00K\x01h\x00s.',
            'memo': b']r\xff\xff\xff\xff.',
            'marks': b'(' * 10**6 + b'.',
            'long': b'\x8b\xff\xff\xff\x7f' + b'\1' * 100 + b'.',
            'bytes': b'\x8e' + b'\xff' * 7 + b'\x00.',
            'text': b'\x8d' + b'\xff' * 7 + b'\x0f.',
            'frame': b'\x95' + b'\xff' * 8 + b'N.',
            'doubling': b']q\x00'
            + b''.join(
                b'](h' + bytes([n]) + b'h' + bytes([n]) + b'eq' + bytes([n + 1]) for n in range(200)
            )
            + b'.',
            'steps': b'N0' * 3_000_000 + b'N.',
            'extension': b'\x82\x01.',
            'persistent': b'Pabc\n.',
            'number': b'I' + b'9' * 10**5 + b'\n.',
            'stack': b'0.',
            'build': b'cbuiltins\nobject\n)\x81}X\x07\x00\x00\x00__cls__cos\nsystem\nsb.',
            'instance': f'(S"touch {CANARY}"\nios\nsystem\n.'.encode(),
            'object': b'(cos\nsystem\nX\x05\x00\x00\x00toucho.',
            'setstate': b'ccollections\nOrderedDict\n)R}X\x09\x00\x00\x00_metadatacos\nsystem\nsb.',
        }
        for name, code in bombs.items():
            yield f'bomb-{name}-{kind}.pth', wrap(b'\x80\x02' + code)
    head = b'ctorch._utils\n_rebuild_tensor_v2\n('

    def tensor(count: int, offset: int, size: Any, stride: Any, key: str = '0') -> bytes:
        pickler = Pickler()
        storage = ('storage', Name('torch.FloatStorage'), key, 'cpu', count)
        parts = [pickler.code(v) for v in (offset, size, stride, False)]
        return pickler.code(storage) + b'Q' + b''.join(parts) + b'}tR'

    for index, arguments in enumerate(
        (
            (16, 0, (10**12,), (0,)),
            (10**15, 0, (4,), (1,)),
            (16, 10**9, (4,), (1,)),
            (16, -4, (4,), (1,)),
            (16, 0, (-1,), (1,)),
            (16, 0, (4,), (-1,)),
            (16, 0, (4, 4), (4,)),
            (16, 0, (17,), (1,)),
            (16, 0, (2**62, 2**62, 0), (1, 1, 1)),
            (-1, 0, (1,), (1,)),
            (16, 0, 'ab', (1,)),
            (16, 0, (1.5,), (1,)),
            (16, 0, (1,) * 1000, (1,) * 1000),
            (16, 0, (4,), (1,), '../../x'),
            (16, 0, (4,), (1,), '9'),
            (16, None, (4,), (1,)),
            (16, 0, (2, 10**9), (0, 0)),
            (0, 0, (4,), (1,)),
        )
    ):
        pickled = b'\x80\x02(X\x0a\x00\x00\x00state_dict(X\x01\x00\x00\x00a' + head
        yield f'tensor-{index}.pth', zipped(pickled + tensor(*arguments) + b'dd.')
    whole = Pickler().dump({'state_dict': {'a': torch.zeros(16)}})
    yield 'zip-deflated.pth', zipped(whole, compression=zipfile.ZIP_DEFLATED)
    yield (
        'zip-bomb.pth',
        zipped(
            b'\x80\x02' + b'N0' * 10**6 + b'N.', b'\0' * 10**8, compression=zipfile.ZIP_DEFLATED
        ),
    )
    yield 'zip-other.pth', zipped(b'').replace(b'archive/data.pkl', b'archive/some.pkl')
    yield 'zip-script.pth', zipped(whole).replace(b'archive/byteorder', b'archive/code/abcd')
    yield 'zip-empty.pth', b'PK\x05\x06' + b'\0' * 18
    yield 'page.pth', b'<!DOCTYPE html><html><body>Not found</body></html>'
    yield 'lfs.pth', b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n'
    yield 'text.pth', b'no checkpoint'
    yield 'nothing.pth', b''
    yield 'zeros.pth', b'\0' * 10**5
    yield 'gzip.pth', b'\x1f\x8b' + b'\0' * 100
    header = {'a': {'dtype': 'F32', 'shape': [4], 'data_offsets': [0, 16]}}
    for index, (size, text) in enumerate(
        (
            (2**63, '{}'),
            (10**9, '{}'),
            (2, '{}'),
            (None, '[' * 10**5),
            (None, '{"a":1}'),
            (None, json.dumps({**header, '__metadata__': {DESCRIPTION: '[' * 10**5}})),
            (None, json.dumps({**header, '__metadata__': {DESCRIPTION: '{"format": 99}'}})),
            (None, json.dumps({**header, '__metadata__': {DESCRIPTION: '1' * 10**5}})),
            (None, json.dumps({'a': {**header['a'], 'data_offsets': [0, 10**12]}})),
            (None, json.dumps({'a': {**header['a'], 'shape': [2**40, 2**40]}})),
            (None, json.dumps({'a': {**header['a'], 'dtype': 'X9'}})),
            (None, json.dumps(header)),
        )
    ):
        length = len(text) if size is None else size
        content = struct.pack('<Q', length) + text.encode() + b'\0' * 16
        yield f'tensors-{index}.safetensors', content
    yield 'tensors-torch.safetensors', good_file


def widths_files() -> Iterator[tuple[str, bytes]]:
    """Yield hostile ``.bin`` files, which hold the widths of a released CSNet."""
    entries = [[0, np.array([2, 2])] for _ in range(21)] + [np.array([1, 1, 1, 1])]
    base = pickle.dumps(entries, 2)
    for name, call in CALLS.items():
        for kind, content in (('top', call), ('list', [call] * 22), ('entry', [[0, call]] * 22)):
            yield f'call-{name}-{kind}.bin', Pickler(2).dump(content)

    def array(dtype: Any, state: Any, shape: Any = (2,), content: Any = b'\1' * 16) -> bytes:
        pickler = Pickler(2)
        made = b'cnumpy\ndtype\n' + pickler.code((dtype, False, True)) + b'R'
        made += b'' if state is None else pickler.code(state) + b'b'
        text = content if isinstance(content, bytes) else b''
        raw = (
            b'C' + bytes([len(text)]) + text
            if isinstance(content, bytes)
            else pickler.code(content)
        )
        start = b'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tC\x01btR'
        parts = pickler.code(1) + pickler.code(shape) + made + b'I00\n' + raw
        one = b'(K\x00' + start + b'(' + parts + b'tb' + b'l'
        return b'\x80\x03(' + one * 22 + b'l.'

    little = (3, '<', None, None, None, -1, -1, 0)
    dtypes = [
        'O',
        'O8',
        'V8',
        'V0',
        'S8',
        'U4',
        'M8',
        'm8',
        'i8,O',
        'f16',
        'i3',
        '',
        None,
        7,
        [1],
        'object',
        'int',
        '>i8',
        '|O',
        {'names': ['a'], 'formats': ['O'], 'offsets': [-8]},
    ]
    fields = (3, '|', None, ('a',), {'a': (Name('numpy.object_'), 0)}, 8, 1, 27)
    outside = (3, '|', None, ('a',), {'a': (Name('numpy.int64'), -800)}, 8, 1, 16)
    states = [little, None, fields, outside, (3, '<', (Name('numpy.object_'), (9,)), None), 5, ()]
    for i, dtype in enumerate(dtypes):
        for j, state in enumerate(states):
            yield f'array-{i}-{j}.bin', array(dtype, state)
    for i, shape in enumerate(
        [(10**9,), (-1,), (2**62, 4), (0,), (), 'a', (1.5,), (1,) * 100, None]
    ):
        for j, content in enumerate([b'\1' * 16, b'', 'text', None, [1, 2]]):
            yield f'shape-{i}-{j}.bin', array('i8', little, shape, content)
    for index in range(10):
        yield f'cut-{index}.bin', base[: len(base) * index // 10]
    for name, value in {
        'empty': [],
        'text': 'widths',
        'numbers': [1] * 22,
        'none': [None] * 22,
        'dict': {},
        'huge': [[0, 10**30]] * 22,
        'negative': [[0, -5]] * 22,
        'nan': [[0, float('nan')]] * 22,
        'absurd': [[0, [10**9, 10**9]]] * 22,
        'long': [[0, [1] * 10**5]] * 22,
        'texts': [[0, '12']] * 22,
    }.items():
        yield f'value-{name}.bin', pickle.dumps(value, 2)
    yield 'nested.bin', b'\x80\x02(' + (b'(K\x00' + b']' * 1000 + b'a' * 999 + b'l') * 22 + b'l.'
    yield 'scalar.bin', Pickler(2).dump([Call('numpy.core.multiarray.scalar', 'i8', 'x')] * 22)


def write_corpus(folder: Path, part: int = 1) -> list[str]:
    """Write every ``part``-th file and return the names."""
    files = [*code_files(), *data_files(folder), *broken_files(folder), *widths_files()]
    names = []
    for name, content in files[::part]:
        cleaned = clean(name)
        (folder / cleaned).write_bytes(content)
        names.append(cleaned)
    (folder / 'described.pth').unlink()
    os.mkfifo(folder / 'pipe.pth')
    (folder / 'folder.pth').mkdir()
    return [*names, 'pipe.pth', 'folder.pth']


# --- the readers ---------------------------------------------------------------------------------


def convert(method: str, *words: object) -> int:
    """Call ``sod convert``, or the script that was there before, and return the status."""
    import sod_plugins

    script = Path(sod_plugins.__file__).parents[1] / f'tools/model_converters/{method}.py'
    if not script.exists():
        return command('convert', method, *words)
    sys.argv = [str(script), *map(str, words)]
    runpy.run_path(str(script), run_name='__main__')
    return 0


def load(path: Path, folder: Path) -> None:
    from sod_plugins.networks import load_network

    load_network(path)


def classifier(path: Path, folder: Path) -> None:
    from sod_plugins.networks import load_classifier

    load_classifier(path)


def backbone(path: Path, folder: Path) -> None:
    from sod_plugins.checkpoints import load_backbone_weights

    load_backbone_weights(CSNet(**SMALL).backbone, path)


def extract(path: Path, folder: Path) -> None:
    command('extract', path, folder / 'out.pth')


def prune(path: Path, folder: Path) -> None:
    command('prune', path, '-o', folder / 'out.pth', '--ratio', '0.5')


def complexity(path: Path, folder: Path) -> None:
    command('complexity', path)


def predict(path: Path, folder: Path) -> None:
    command('predict', folder / 'data/images', '-o', folder / 'maps', '--checkpoint', path)


def convert_samnet(path: Path, folder: Path) -> None:
    convert('samnet', path, folder / 'out.pth')


def convert_csnet(path: Path, folder: Path) -> None:
    convert('csnet', path, folder / 'good.bin', folder / 'out.pth')


def widths(path: Path, folder: Path) -> None:
    convert('csnet', folder / 'good.pth', path, folder / 'out.pth')


def test(path: Path, folder: Path) -> None:
    from sod_plugins.openmmlab.commands import test_command

    test_command([str(folder / 'config.py'), str(path), '--work-dir', str(folder / 'test')])


def resume(path: Path, folder: Path) -> None:
    from sod_plugins.openmmlab.commands import train_command

    words = [folder / 'config.py', '--resume', path, '--work-dir', folder / 'train']
    train_command([str(word) for word in words])


def start(path: Path, folder: Path) -> None:
    from sod_plugins.openmmlab.commands import train_command

    options = [f'load_from={path}', f'model.backbone.init_cfg.checkpoint={path}']
    words = [folder / 'config.py', '--work-dir', folder / 'train', '--cfg-options', *options]
    train_command([str(word) for word in [*words, 'model.backbone.init_cfg.type=Pretrained']])


READERS: tuple[Reader, ...] = (
    load,
    classifier,
    backbone,
    extract,
    prune,
    complexity,
    predict,
    convert_samnet,
    convert_csnet,
    test,
    resume,
    start,
    widths,
)


def make_good_files(folder: Path) -> None:
    """Write what readers need beside a hostile file."""
    from sod_plugins.data import generate_scenes

    generate_scenes(folder / 'data', 1, size=(48, 64))
    save_network(folder / 'good.pth', CSNet(**SMALL))
    (folder / 'good.bin').write_bytes(pickle.dumps([[0, [2]]] * 21 + [[1, 1, 1, 1]], 2))
    config = (CONFIG + TEST + TRAIN).replace('DATA', str(folder / 'data'))
    (folder / 'config.py').write_text(config)
    (folder / 'trained.pth').write_bytes(torch_file(good()))
    load(folder / 'trained.pth', folder)  # what is wrong with the others is not their form


def takes(reader: str, name: str) -> bool:
    """Tell apart the readers of ``.bin`` files and of checkpoints."""
    return name.endswith('.bin' if reader == 'widths' else ('.pth', '.safetensors'))


def changed() -> str:
    """Say if a file changed what torch computes with by default, and undo it."""
    if torch.get_default_dtype() is torch.float32:
        return ''
    torch.set_default_dtype(torch.float32)
    return 'the default dtype was changed'


CORPUS = Corpus(
    write_corpus,
    make_good_files,
    READERS,
    takes=takes,
    changed=changed,
    outputs=frozenset({'out.pth', 'maps', 'test', 'train'}),
    memory=8 << 30,
    patience=120.0,
)


if __name__ == '__main__':
    torch.set_num_threads(1)
    sys.exit(main(CORPUS, 'Give hostile checkpoints and .bin files to whatever reads one.'))
