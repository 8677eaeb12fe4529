from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from reference_values import (
    crc_filled,
    fingerprint,
    released_sam_shapes,
    released_samnet_shapes,
)

from sod_plugins.checkpoints.backbone_weights import load_backbone_weights
from sod_plugins.checkpoints.converters import samnet as converter
from sod_plugins.layers import StereoscopicAttention
from sod_plugins.networks import count_parameters, load_network
from sod_plugins.networks.backbones import SAMNetBackbone


def run(*arguments):
    return subprocess.run(
        [sys.executable, '-m', 'sod_plugins.cli', 'convert', 'samnet', *arguments],
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope='module')
def state():
    """A released SAMNet with the weights of the reference values."""
    return crc_filled(released_samnet_shapes())


@pytest.fixture(scope='module')
def network(state, tmp_path_factory):
    """The converted network, read back from the file that the command wrote."""
    folder = tmp_path_factory.mktemp('converted')
    torch.save({f'module.{key}': value for key, value in state.items()}, folder / 'released.pth')
    done = run(folder / 'released.pth', folder / 'new' / 'samnet.pth')
    assert done.stdout == f'{folder}/new/samnet.pth: SAMNet, 1,330,129 parameters\n', done.stderr
    return load_network(folder / 'new' / 'samnet.pth')


def statistics(x):
    return x.mean().item(), x.std().item()


def test_the_file_has_the_published_number_of_entries(state):
    assert len(state) == 1436
    assert sum(not k.endswith(('mean', 'var', 'tracked')) for k in state) == 737


def test_reference_outputs(network, wave):
    """All five outputs of the released network: probabilities at the size of the input."""
    maps = []
    with torch.no_grad():
        saliency = network(wave).sigmoid()
        for module in network.decode_head.modules():  # side maps come in training mode alone
            module.training = module is network.decode_head
        maps = network.decode_head(network.backbone(wave))
    network.eval()
    expected = [
        (0.3618756, 0.0089294),
        (0.7078782, 0.0145946),
        (0.3701615, 0.0261493),
        (0.8016696, 0.0624250),
        (0.5993223, 0.0165614),
    ]
    for logits, values in zip(maps, expected, strict=True):
        side = torch.nn.functional.interpolate(
            logits.sigmoid(), wave.shape[-2:], mode='bilinear', align_corners=True
        )
        assert statistics(side) == pytest.approx(values, abs=1e-5)
    assert statistics(saliency) == pytest.approx(expected[0], abs=1e-5)
    points = (0.346477, 0.351991, 0.349836, 0.346819, 0.366381)
    assert fingerprint(saliency) == pytest.approx(points, abs=1e-5)


def test_reference_intermediates(network, wave):
    """Mean and standard deviation at the landmarks of the network, from the reference run."""
    landmarks = {
        **dict(
            zip(
                network.backbone.stages,
                [
                    (0.0779085, 0.1804913),
                    (0.0588970, 0.2283877),
                    (0.1589066, 0.4377592),
                    (0.1601459, 0.4906867),
                    (0.1119510, 0.4156746),
                ],
                strict=True,
            )
        ),
        network.decode_head.pooling: (0.4547952, 0.5590247),
        **dict(
            zip(
                reversed(network.decode_head.fusions),
                [
                    (0.2955695, 0.3840100),
                    (0.2704497, 0.5625741),
                    (0.3610672, 0.4844613),
                    (0.1421630, 0.1804101),
                    (0.1452214, 0.1969143),
                ],
                strict=True,
            )
        ),
    }
    found = {}
    handles = [
        module.register_forward_hook(lambda m, _, y: found.update({m: statistics(y)}))
        for module in landmarks
    ]
    with torch.no_grad():
        network(wave)
    for handle in handles:
        handle.remove()
    for module, values in landmarks.items():
        assert found[module] == pytest.approx(values, abs=1e-5)


def test_reference_module():
    """A single SAM module of 64 channels in float64, whose keys have no prefix."""
    state = crc_filled(released_sam_shapes(64, 3))
    place = ('context_path.layer3.1.', 'backbone.stages.2.1.')
    weights = converter.convert_weights({place[0] + key: v for key, v in state.items()})
    sam = StereoscopicAttention(64, (1, 2, 3)).double().eval()
    sam.load_state_dict({key.removeprefix(place[1]): v for key, v in weights.items()})
    images = torch.sin(0.7 * torch.arange(64 * 28 * 28, dtype=torch.float64)).view(1, 64, 28, 28)
    with torch.no_grad():
        y = sam(images)
    assert statistics(y) == pytest.approx((0.0036272, 0.7109226), abs=1e-7)
    points = (0.085768, -0.038369, 0.006425, -0.231695, -0.433548)
    assert fingerprint(y) == pytest.approx(points, abs=1e-6)


def test_a_map_per_branch_is_recognised(tmp_path):
    state = crc_filled(released_samnet_shapes(shared_spatial=False))
    torch.save({'state_dict': state, 'epoch': 3}, tmp_path / 'released.pth')
    network = converter.convert(tmp_path / 'released.pth', tmp_path / 'samnet.pth')
    assert count_parameters(network) == 1_330_933
    released = state['context_path.layer5.2.convs.3.weight'].float()
    gate = network.backbone.stages[4][2].spatial_gate.logits.weight
    torch.testing.assert_close(gate, released[[2, 0, 1]], rtol=0, atol=0)  # F_0 was last


def test_a_backbone_alone_initialises_a_backbone(state, network, tmp_path):
    backbone = {
        key.removeprefix('context_path.'): value
        for key, value in state.items()
        if key.startswith('context_path.')
    }
    torch.save(backbone, tmp_path / 'imagenet.pth')
    out = tmp_path / 'backbone.pth'
    done = run(tmp_path / 'imagenet.pth', out)
    assert done.stdout == f'{out}: SAMNetBackbone, 1,221,404 parameters\n', done.stderr
    fresh = SAMNetBackbone()
    load_backbone_weights(fresh, out)
    expected = network.backbone.state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in fresh.state_dict().items())


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ({'fc.weight': torch.zeros(1)}, r": 'fc\.weight' is not a key of a released SAMNet\.$"),
        ({}, 'is not the checkpoint of a released SAMNet'),
        ({'state_dict': 3}, 'is not the checkpoint of a released SAMNet'),
        ([1, 2], 'holds a list, not a checkpoint'),
        (b'', 'is empty'),
    ],
)
def test_refuses_other_checkpoints(tmp_path, content, message):
    path = tmp_path / 'released.pth'
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        converter.convert(path, tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize(
    ('missing', 'message'),
    [
        ('heads.4.conv.1.bias', 'Missing key'),
        ('context_path.layer1.0.conv.0.weight', 'Missing key'),
        ('context_path.layer1.1.convs.3.weight', 'it lacks the spatial maps'),
    ],
)
def test_refuses_incomplete_checkpoints(state, tmp_path, missing, message):
    torch.save({k: v for k, v in state.items() if k != missing}, tmp_path / 'released.pth')
    with pytest.raises(ValueError, match=message):
        converter.convert(tmp_path / 'released.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_refuses_weights_of_other_shapes(state, tmp_path):
    scalar = {'context_path.layer1.1.convs.3.weight': torch.tensor(1.0)}
    torch.save({**state, **scalar}, tmp_path / 'released.pth')
    with pytest.raises(ValueError, match='is not the checkpoint of a released SAMNet'):
        converter.convert(tmp_path / 'released.pth', tmp_path / 'out.pth')


def test_overwrites_neither_a_folder_nor_its_source(state, tmp_path):
    path = tmp_path / 'released.pth'
    torch.save(state, path)
    with pytest.raises(IsADirectoryError, match='is a folder: name a file'):
        converter.convert(path, tmp_path)
    with pytest.raises(ValueError, match='is the released file itself'):
        converter.convert(path, path)
    assert len(torch.load(path)) == len(state)


def test_command_names_a_missing_file(tmp_path):
    done = run('no.pth', tmp_path / 'out.pth')
    assert done.returncode == 2
    assert done.stderr == 'sod: error: There is no checkpoint no.pth.\n'
