from __future__ import annotations

import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from reference_values import settle_statistics
from safetensors.torch import load_file

from sod_plugins.checkpoints.reading import read_checkpoint
from sod_plugins.networks import (
    CSF,
    CSFDecoder,
    CSNet,
    CSNetBackbone,
    Preprocessing,
    extract_network,
    load_network,
    save_network,
)
from sod_plugins.networks.registry import network_of_parts

CONFIG = """
import os
batch = dict(size=os.sep)
model = dict(
    type='sod_plugins.SaliencySegmentor',
    data_preprocessor=dict(mean=[1.0, 2.0, 3.0], std=[4.0, 5.0, 6.0], type='SegDataPreProcessor'),
    backbone=dict(type='sod_plugins.CSNet', width=0.4, stage_blocks=(1, 1, 1, 1)),
    decode_head={'type': 'sod_plugins.CSFHead', 'in_channels': (16, 32, 32)})
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(size=(48, 64), type='sod_plugins.ResizeSaliency')]))
"""


def small_network():
    network = CSNet(width=0.4, stage_blocks=(1, 1, 1, 1))
    settle_statistics(network, torch.randn(2, 3, 32, 32))
    return network


def training_checkpoint(network, config=CONFIG):
    """What mmengine's runner stores of the same network."""
    state = {
        name.replace('backbone.', 'backbone.net.').replace('decode_head.', 'decode_head.net.'): v
        for name, v in network.state_dict().items()
    }
    return {'meta': {'cfg': config, 'iter': 4}, 'state_dict': state, 'optimizer': {'state': {}}}


def test_round_trip(tmp_path):
    network = small_network()
    images = torch.randn(1, 3, 40, 32)
    described = Preprocessing((40, 32), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    path = tmp_path / 'new' / 'net.pth'
    save_network(path, network.train(), described)
    loaded = load_network(path)
    assert list(path.parent.iterdir()) == [path]
    assert not loaded.training
    assert loaded.preprocessing == described
    assert loaded.arguments == network.arguments
    assert torch.equal(loaded(images), network.eval()(images))


def test_learned_widths_survive(tmp_path):
    widths = {
        'blocks': [(2, 1), (3, 2), (4,), (2, 2), (4,), (0, 3), (5,)],
        'fuse': (2, 3, 2),
        'dilated': [(1, 1, 0, 0, 0), (0, 0, 0, 0, 1), (1, 0, 0, 0, 0)],
        'merged': 3,
    }
    network = CSNet(stage_blocks=(1, 2, 2, 2), learned_widths=widths)
    save_network(tmp_path / 'net.pth', network)
    assert load_network(tmp_path / 'net.pth').arguments['learned_widths'] == widths


def test_training_checkpoint_needs_no_host(tmp_path):
    network = small_network()
    torch.save(training_checkpoint(network), tmp_path / 'iter_4.pth')
    code = (
        'import sys; sys.modules["mmengine"] = None\n'
        'from sod_plugins.networks import extract_network\n'
        f'extract_network({str(tmp_path / "iter_4.pth")!r}, {str(tmp_path / "net.pth")!r})\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
    loaded = load_network(tmp_path / 'net.pth')
    images = torch.randn(1, 3, 48, 64)
    assert torch.equal(loaded(images), network(images))
    assert loaded.preprocessing == Preprocessing((48, 64), (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def test_the_rule_of_reduction_is_read_from_the_config(tmp_path):
    content = training_checkpoint(small_network())
    resize = "type='sod_plugins.ResizeSaliency'"
    content['meta']['cfg'] = content['meta']['cfg'].replace(resize, f'antialias=True, {resize}')
    torch.save(content, tmp_path / 'iter_4.pth')
    extract_network(tmp_path / 'iter_4.pth', tmp_path / 'net.pth')
    assert load_network(tmp_path / 'net.pth').preprocessing.antialias is True


def test_the_log_is_inert_and_nobody_elses_loads_change(tmp_path):
    """The two once met: the log's class was then filled with inert objects, and could not log."""
    logging = pytest.importorskip('mmengine.logging')
    content = {**training_checkpoint(small_network()), 'log': logging.HistoryBuffer([1.0], [1])}
    torch.save(content, tmp_path / 'iter_4.pth')
    before = set(torch.serialization.get_safe_globals())

    def load(_):
        load_network(tmp_path / 'iter_4.pth')
        with pytest.raises(pickle.UnpicklingError):
            torch.load(tmp_path / 'iter_4.pth', weights_only=True)

    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(load, range(24)))) == 24
    assert set(torch.serialization.get_safe_globals()) == before
    log = read_checkpoint(tmp_path / 'iter_4.pth')['log']
    assert log.name == 'mmengine.logging.history_buffer.HistoryBuffer'
    assert log.state['_log_history'].tolist() == [1.0]
    assert logging.HistoryBuffer([3.0], [1]).statistics('mean') == 3


def test_widths_of_parts():
    parts = {
        'backbone': CSNetBackbone(stage_blocks=(1, 1, 1, 1)),
        'decode_head': CSFDecoder((40, 80, 80), (4, 5, 6), channels=9),
    }
    cls, arguments = network_of_parts(parts)
    assert arguments['learned_widths']['blocks'] == ((10, 10), (40,), (80,), (80,))
    assert cls(**arguments).decode_head.merge.conv.out_channels == (9,)
    parts['decode_head'] = CSFDecoder((40, 80, 80), coarsening='bilinear')
    assert network_of_parts(parts)[0] is CSF
    with pytest.raises(ValueError, match='CSNetBackbone, Identity together make no network'):
        network_of_parts({**parts, 'decode_head': torch.nn.Identity()})


BARE = {'weight': torch.ones(2)}


class Malicious:
    def __reduce__(self):
        return exec, ('raise SystemExit("code of the file was run")',)


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'no checkpoint', 'cannot be read as a checkpoint'),
        (b'', 'is empty'),
        (Malicious(), r"holds an object of the class or function 'builtins\.exec'"),
        ([1, 2], 'holds a list, not a checkpoint'),
        ({'state_dict': {}}, 'neither a network file .* nor a training checkpoint'),
        (BARE, 'neither a network file .* nor a training checkpoint'),
        (
            {
                'meta': {'cfg': CONFIG.replace("'sod_plugins.CSNet'", "'ResNet'")},
                'state_dict': BARE,
            },
            'its backbone ResNet is not of this package',
        ),
        (
            {'meta': {'cfg': CONFIG.replace('ResizeSaliency', 'Resize')}, 'state_dict': BARE},
            'no single sod_plugins.ResizeSaliency',
        ),
        (
            {
                'format': 'sod_plugins.network/1',
                'network': 'Unet',
                'arguments': {},
                'preprocessing': Preprocessing().to_dict(),
                'state_dict': BARE,
            },
            "holds a network 'Unet'.* name its module by --import",
        ),
    ],
)
def test_refuses_other_files(tmp_path, content, message):
    path = tmp_path / 'file.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message) as info:
        load_network(path)
    assert 'file.pth' in str(info.value)


def test_refuses_what_does_not_fit(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'There is no checkpoint .*none\.pth'):
        load_network(tmp_path / 'none.pth')
    checkpoint = training_checkpoint(small_network())
    del checkpoint['state_dict']['decode_head.net.classifier.bias']
    torch.save(checkpoint, tmp_path / 'cut.pth')
    with pytest.raises(
        ValueError,
        match=r'cut\.pth has weights that do not fit its description: missing keys decode_head\.cl',
    ):
        extract_network(tmp_path / 'cut.pth', tmp_path / 'net.pth')
    with pytest.raises(ValueError, match='a Linear is not registered'):
        save_network(tmp_path / 'net.pth', torch.nn.Linear(1, 1))
    assert not (tmp_path / 'net.pth').exists()


def test_half_precision_halves_the_file_and_rounds_the_weights(tmp_path):
    torch.manual_seed(0)
    network = small_network()
    save_network(tmp_path / 'net.pth', network)
    sizes = {}
    for half in (False, True):
        out = tmp_path / f'{half}.safetensors'
        extract_network(tmp_path / 'net.pth', out, half=half)
        sizes[half] = out.stat().st_size
    assert sizes[True] < 0.65 * sizes[False]  # beside the weights, both describe the network
    loaded = load_network(tmp_path / 'True.safetensors')
    for name, value in network.state_dict().items():
        rounded = loaded.state_dict()[name]
        assert rounded.dtype == value.dtype
        # each is one of its two neighbours of 11 bits, or of 6e-8 below 6e-5
        torch.testing.assert_close(rounded, value, rtol=2**-10, atol=6e-8)
        if value.dim() > 1:
            # no more than half a step of the largest weight; each rounded to the nearest, up to 1.8
            added_up = (rounded - value).double().flatten(1).sum(1)
            largest = value.double().flatten(1).abs().amax(1)
            assert (added_up.abs() <= 2**-11 * largest).all()


def test_weights_beyond_half_precision_are_refused(tmp_path):
    network = small_network()
    name, weight = max(network.named_parameters(), key=lambda item: item[1].numel())
    with torch.no_grad():
        weight.fill_(1e5)
    save_network(tmp_path / 'net.pth', network)
    with pytest.raises(ValueError, match=rf'number is 65504: .* in {re.escape(name)}'):
        extract_network(tmp_path / 'net.pth', tmp_path / 'half.pth', half=True)
    assert not (tmp_path / 'half.pth').exists()


def test_small_tensors_keep_single_precision(tmp_path):
    torch.manual_seed(0)
    network = small_network()
    save_network(tmp_path / 'net.pth', network)
    extract_network(tmp_path / 'net.pth', tmp_path / 'half.safetensors', half=True)
    stored = load_file(tmp_path / 'half.safetensors')
    values = {key: value for key, value in stored.items() if value.is_floating_point()}
    kept = {key for key, value in values.items() if value.dtype == torch.float32}
    total = sum(value.numel() for value in values.values())
    assert 0.8 * total < 10 * sum(values[key].numel() for key in kept) <= total
    largest_kept = max(values[key].numel() for key in kept)
    assert all(value.numel() >= largest_kept for key, value in values.items() if key not in kept)
    for key in kept:
        torch.testing.assert_close(values[key], network.state_dict()[key], rtol=0, atol=0)
