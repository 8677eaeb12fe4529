"""Files of older versions give what they gave: see ``old/make.py``, which wrote them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import torch

from sod_plugins.checkpoints import load_classifier, load_network
from sod_plugins.checkpoints.old_formats import network_of_config, read_config
from sod_plugins.networks import CSF, CSNet, SAMNet

FOLDER = Path(__file__).parent / 'old'
COMMITS = {path.stem: json.loads(path.read_text()) for path in FOLDER.glob('*.json')}
FILES = [(commit, name) for commit, content in COMMITS.items() for name in content['networks']]
SIZE = 32


def image():
    return torch.linspace(-2, 2, 3 * SIZE * SIZE).sin().mul(2).view(1, 3, SIZE, SIZE)


def outputs(network):
    with torch.no_grad():
        found = network(image())
    instances = [] if isinstance(found, torch.Tensor) else found
    parts = [v for i in instances for v in (i.boxes, i.scores, i.masks)] or [found]
    return torch.cat([part.double().flatten() for part in parts])


def weights_digest(network):
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def test_every_file_has_its_values():
    assert {name for _, name in FILES} == {path.name for path in FOLDER.glob('*.pth')}
    assert len(FILES) >= 13
    assert all(path.stat().st_size < 100_000 for path in FOLDER.iterdir())


@pytest.mark.parametrize(('commit', 'name'), FILES, ids=[name for _, name in FILES])
def test_an_old_file_gives_the_same_weights_and_outputs(commit, name):
    expected = COMMITS[commit]['networks'][name]
    network = (load_classifier if 'classifier' in name else load_network)(FOLDER / name)
    assert not network.training
    assert weights_digest(network) == expected['weights']
    own = json.loads(json.dumps(network.preprocessing.to_dict()))
    assert own == {'antialias': False, **expected['preprocessing']}  # which 45c5851 did not know
    found = outputs(network)
    assert len(found) == expected['outputs']['count']
    some = torch.tensor(expected['outputs']['some'], dtype=torch.double)
    # Processors round convolutions differently, even those of one instruction set: by 6e-8 here.
    torch.testing.assert_close(found[::37], some, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(('commit', 'name'), FILES, ids=[name for _, name in FILES])
def test_an_old_file_keeps_its_arguments(commit, name):
    expected = COMMITS[commit]['networks'][name]['arguments']
    network = (load_classifier if 'classifier' in name else load_network)(FOLDER / name)
    found = json.loads(json.dumps(network.arguments))
    for key, value in expected.items():
        if not isinstance(value, dict):
            assert found[key] == value, key


SAMNET = {'type': 'sod_plugins.SAMNet', 'width': 0.5, 'frozen_stages': 2, 'norm_eval': True}
SAMNET_HEAD = {
    'type': 'sod_plugins.SAMNetHead',
    'in_channels': (8, 16, 32, 48, 64),
    'dropout': 0.2,
    'side_loss_weight': 1.0,
    'upsampling': 'logits',
}
CSF_HEAD = {
    'type': 'sod_plugins.CSFHead',
    'in_channels': (24, 40, 112, 320),
    'fuse_channels': (10, 15, 20, 25),
    'norm_cfg': {'type': 'GN', 'num_groups': 5},
}
LITE = {
    'type': 'sod_plugins.EfficientNetLite',
    'out_indices': (1, 2, 3, 4),
    'init_cfg': {'type': 'Pretrained', 'checkpoint': 'lite.pth'},
}


def segmentor(backbone, head):
    return {'type': 'EncoderDecoder', 'backbone': backbone, 'decode_head': head}


def test_a_config_says_which_network_its_parts_make():
    cls, arguments = network_of_config(segmentor(SAMNET, SAMNET_HEAD))
    assert cls is SAMNet
    assert (arguments['backbone']['type'], arguments['backbone']['width']) == ('SAMNet', 0.5)
    assert (arguments['dropout'], arguments['upsampling']) == (0.2, 'logits')
    in_order = {**SAMNET_HEAD, 'in_index': [0, 1, 2, 3, 4]}
    assert network_of_config(segmentor(SAMNET, in_order)) == (cls, arguments)
    cls, arguments = network_of_config(segmentor(LITE, CSF_HEAD))
    assert cls is CSF
    # The head's default, where the network's is the plain 1.
    assert (arguments['weight_scale'], arguments['norm_groups']) == (100.0, 5)
    csnet = {'type': 'sod_plugins.CSNet', 'width': 0.4}
    head = {'type': 'sod_plugins.CSFHead', 'in_channels': (16, 32, 32)}
    assert network_of_config(segmentor(csnet, head))[0] is CSNet


@pytest.mark.parametrize(
    ('backbone', 'head', 'message'),
    [
        ({'type': 'mmseg.MobileNetV2'}, SAMNET_HEAD, 'MobileNetV2 is not of this package'),
        (SAMNET, {**SAMNET_HEAD, 'type': 'FCNHead'}, 'FCNHead is not of this package'),
        (SAMNET, {**SAMNET_HEAD, 'in_channels': (8, 16, 32)}, 'all maps of its backbone in order'),
        (SAMNET, {**SAMNET_HEAD, 'in_index': (4, 3, 2, 1, 0)}, 'all maps of its backbone in order'),
        ({**SAMNET, 'out_indices': (0, 1, 2, 3)}, SAMNET_HEAD, 'all maps of its backbone in order'),
        (LITE, {**CSF_HEAD, 'norm_cfg': {'type': 'LN'}}, 'normalisation LN'),
    ],
)
def test_parts_of_other_networks_are_refused(backbone, head, message):
    with pytest.raises(ValueError, match=message):
        network_of_config(segmentor(backbone, head))


@pytest.mark.parametrize(
    'text', ['model = ' + '(' * 10**5, 'model = ' + '-' * 10**5 + '1', 'model = f()', 'model =']
)
def test_a_config_that_is_no_literal_is_refused(text):
    with pytest.raises(ValueError):
        read_config(text, ('model',))
