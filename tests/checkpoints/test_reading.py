from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import Counter, OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from sod_plugins.checkpoints.pickled_values import StandIn
from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks import CSNet, extract_network, load_network, save_network
from sod_plugins.zoo import find_model

SMALL = {'width': 0.4, 'stage_blocks': (1, 1, 1, 1)}


class Log:
    """Stands for the object of a training's log."""

    def __init__(self):
        self.values = np.arange(3.0)


def content():
    """Values of every kind that checkpoints hold."""
    shared = torch.arange(12.0)
    return {
        'plain': [1, -5, 2**70, 1.5, True, None, 'text', b'bytes', (1, (2,)), {1, 2}, 1 + 2j],
        'views': [shared[2:5], shared.view(3, 4).t(), shared[:0], torch.tensor(3)],
        'kinds': [
            torch.ones(3).to(d) for d in (torch.half, torch.bfloat16, torch.int8, torch.bool)
        ],
        'last': torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
        'parameter': nn.Parameter(torch.ones(2)),
        'mappings': [OrderedDict(a=1), Counter([5, 5]), defaultdict(list, a=[1])],
        'numpy': [np.arange(6).reshape(2, 3).T, np.float64(2.5), np.int32(3), np.bool_(True)],
        'size': torch.Size((2, 3)),
        'state_dict': nn.BatchNorm2d(3).state_dict(),
    }


def assert_same(found, expected):
    if isinstance(expected, torch.Tensor):
        assert found.dtype == expected.dtype and found.stride() == expected.stride()
        assert torch.equal(found, expected)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
    elif isinstance(expected, dict):
        assert list(found) == list(expected)
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize('zipped', [True, False])
@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
def test_values_come_back_as_torch_reads_them(zipped, protocol, tmp_path):
    path = tmp_path / 'file.pth'
    torch.save(content(), path, pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    expected = torch.load(path, weights_only=False)
    found = read_checkpoint(path)
    assert_same(found, expected)
    shared = [view.untyped_storage().data_ptr() for view in found['views'][:2]]
    assert shared[0] == shared[1]
    assert type(found['mappings'][1]) is Counter
    versions = expected['state_dict']._metadata
    assert {k: v['version'] for k, v in found['state_dict']._metadata.items()} == {
        k: v['version'] for k, v in versions.items()
    }


@pytest.mark.parametrize('protocol', range(6))
def test_a_plain_pickle_is_read(protocol, tmp_path):
    values = {'weights': np.arange(4.0), 'numbers': [1, 2.5, 'x', None, True], 'set': {1}}
    (tmp_path / 'file.pkl').write_bytes(pickle.dumps(values, protocol))
    assert_same(read_checkpoint(tmp_path / 'file.pkl'), values)


def test_objects_of_classes_are_inert(tmp_path):
    torch.save({'log': Log(), 'other': torch.nn.Linear}, tmp_path / 'file.pth')
    found = read_checkpoint(tmp_path / 'file.pth')
    assert isinstance(found['log'], StandIn) and found['log'].name.endswith('.Log')
    assert found['log'].state['values'].tolist() == [0, 1, 2]
    assert found['other'].name == 'torch.nn.modules.linear.Linear'


def test_eight_threads_read_at_once_and_change_nobody_s_loads(tmp_path):
    paths = [tmp_path / f'{index}.pth' for index in range(8)]
    for path in paths:
        torch.save({'log': Log(), **content()}, path)
    trusted = set(torch.serialization.get_safe_globals())

    def read(index):
        path = paths[index % 8]
        if index % 3 == 0:  # somebody else's load, which trusts the real class
            with open(path, 'rb') as file:  # noqa: PTH123
                assert isinstance(torch.load(file, weights_only=False)['log'], Log)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(path, weights_only=True)
        assert isinstance(read_checkpoint(path)['log'], StandIn)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(read, range(48)))
    assert set(torch.serialization.get_safe_globals()) == trusted


def script():
    return torch.jit.trace(nn.Conv2d(1, 1, 1), torch.ones(1, 1, 2, 2))


def saved(value):
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def traced():
    file = io.BytesIO()
    torch.jit.save(script(), file)
    return file.getvalue()


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as content:
        content.writestr('readme.txt', 'x')
    return file.getvalue()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda: saved(nn.Linear(1, 1)), r"'torch\.nn\.modules\.linear\.Linear', which only code"),
        (traced, r'is a TorchScript program.*torch\.jit\.load'),
        (lambda: b'\n<!DOCTYPE html><html>', 'is a web page or XML'),
        (lambda: b'version https://git-lfs.github.com/spec/v1\n', 'Git LFS.*git lfs pull'),
        (lambda: saved(content())[:5000], 'is damaged or cut short'),
        (lambda: saved(content())[:60], 'is damaged or cut short'),
        (archive, 'is a zip archive, but no checkpoint'),
        (lambda: b'\x1f\x8b\x08', 'is an archive'),
        (lambda: find_model('sod-small').with_suffix('.onnx').read_bytes(), r'network \(ONNX\)'),
        (lambda: b'', 'is empty'),
        (lambda: b'\x80\x02]q\x00.', 'holds a list'),
        (lambda: b'\x80\x02' + b'(' * 50 + b'.', 'damaged'),
    ],
)
def test_what_people_take_for_a_checkpoint_is_named(make, message, tmp_path):
    path = tmp_path / 'file.pth'
    path.write_bytes(make())
    with pytest.raises(ValueError, match=message) as info:
        load_network(path)
    assert str(info.value).startswith(str(path)) and '\n' not in str(info.value)


def test_regular_files_only(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    for path, message in (
        (tmp_path / 'pipe', 'pipe or a device'),
        ('/dev/zero', 'pipe or a device'),
        (tmp_path, 'directory'),
    ):
        with pytest.raises(OSError, match=message) as info:
            load_network(path)
        assert str(path) in str(info.value)


def test_more_values_than_a_file_has_are_not_made_up(tmp_path):
    """Strides of 0, offsets and counts could ask for any memory."""
    path = tmp_path / 'file.pth'
    for values in (torch.ones(1).expand(10**12), torch.ones(1).expand(3, 10**9)):
        torch.save({'state_dict': {'a': values}}, path)
        with pytest.raises(ValueError, match='more values than it holds'):
            read_checkpoint(path)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_both_formats_carry_the_description(suffix, tmp_path):
    torch.manual_seed(0)
    network = CSNet(**SMALL).eval()
    save_network(tmp_path / f'a{suffix}', network)
    extract_network(tmp_path / f'a{suffix}', tmp_path / 'b.safetensors')
    for name in (f'a{suffix}', 'b.safetensors'):
        loaded = load_network(tmp_path / name)
        assert loaded.arguments == network.arguments
        for key, value in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value)
    assert len(safetensors.torch.load_file(tmp_path / 'b.safetensors')) == len(network.state_dict())


@pytest.mark.parametrize('prefix', ['module.', '_orig_mod.', 'module._orig_mod.'])
def test_what_wrappers_add_is_taken_off(prefix, tmp_path):
    network = CSNet(**SMALL)
    save_network(tmp_path / 'net.pth', network)
    file = read_checkpoint(tmp_path / 'net.pth')
    file['state_dict'] = {prefix + key: value for key, value in file['state_dict'].items()}
    torch.save(file, tmp_path / 'wrapped.pth')
    assert load_network(tmp_path / 'wrapped.pth').arguments == network.arguments
    torch.save(file['state_dict'], tmp_path / 'bare.pth')
    with pytest.raises(ValueError, match=r'bare\.pth holds weights without a description'):
        load_network(tmp_path / 'bare.pth')


def test_a_newer_version_and_broken_weights_are_refused(tmp_path):
    path = tmp_path / 'net.pth'
    save_network(path, CSNet(**SMALL))
    file = read_checkpoint(path)
    file['sod_plugins']['format'] = 3
    torch.save(file, path)
    with pytest.raises(ValueError, match=r'newer sod_plugins \(format 3.*: update sod_plugins\.$'):
        load_network(path)
    file['sod_plugins']['format'] = 2
    file['state_dict']['decode_head.classifier.bias'].fill_(float('nan'))
    torch.save(file, path)
    with pytest.raises(ValueError, match=r'NaN or infinite weights, in decode_head\.classifier\.b'):
        load_network(path)
    file['state_dict']['decode_head.classifier.bias'].zero_()
    file['sod_plugins']['arguments']['width'] = 9e5  # laid out without memory
    torch.save(file, path)
    with pytest.raises(ValueError, match=r'do not fit its description: .*size mismatch for'):
        load_network(path)
    file['sod_plugins']['arguments'].update(width=0.4, stage_blocks=(10**6, 1, 1, 1))
    torch.save(file, path)
    with pytest.raises(ValueError, match='far more layers than there are weights'):
        load_network(path)
