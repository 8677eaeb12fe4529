from __future__ import annotations

import copy
import math

import pytest
import torch
from reference_values import settle_statistics
from torch import nn

from sod_plugins.networks import CSNetBackbone
from sod_plugins.networks.backbones import (
    BACKBONES,
    PRESETS,
    VGG,
    Backbone,
    ResNet,
    build_backbone,
    spec_of,
)

LIGHT = {
    'csnet': {'type': 'CSNet'},
    'efficientnet_lite0': {'type': 'EfficientNetLite'},
    'mobilenet': {'type': 'MobileNet', 'width': 0.25},
    'resnet18': {'type': 'ResNet', 'depth': 18},
    'samnet': {'type': 'SAMNet', 'modules': (1, 1, 1, 1, 1)},
    'shufflenet': {'type': 'ShuffleNet', 'width': 0.5},
    'shufflenet_v2': {'type': 'ShuffleNetV2', 'width': 0.5},
    'vgg16': {'type': 'VGG', 'width': 0.125},
}


def test_the_light_forms_cover_every_type():
    assert {spec['type'] for spec in LIGHT.values()} == set(BACKBONES)


@pytest.mark.parametrize('name', PRESETS)
def test_presets_have_the_size_of_their_published_networks(name):
    counts = {
        'csnet': 179_420,  # the extractor of 179,501 with its classifier, less 81
        'efficientnet_lite0': 2_958_848,
        'mobilenet': 3_206_976,
        'resnet101': 42_500_160,
        'resnet50': 23_508_032,
        'samnet': 1_221_404,
        'shufflenet': 904_728,
        'shufflenet_v2': 776_420,
        'vgg16': 14_714_688,
    }
    with torch.device('meta'):
        network = build_backbone(name)
    assert sum(p.numel() for p in network.parameters()) == counts[name]


@pytest.mark.parametrize('spec', LIGHT.values(), ids=LIGHT)
@pytest.mark.parametrize('size', [(64, 64), (37, 50), (17, 97)])
def test_maps_have_the_promised_channels_and_strides(spec, size):
    network = build_backbone(spec)
    assert network.out_indices == tuple(sorted(network.out_indices))
    images = torch.randn(2, 3, *size)
    settle_statistics(network, images)
    maps = network(images)
    assert len(maps) == len(network.out_channels) == len(network.out_strides)
    rounded = math.floor if spec['type'] in ('CSNet', 'VGG') else math.ceil
    for y, channels, stride in zip(maps, network.out_channels, network.out_strides, strict=True):
        assert y.shape == (2, channels, *(rounded(s / stride) for s in size))
        assert y.isfinite().all()


@pytest.mark.parametrize('spec', LIGHT.values(), ids=LIGHT)
def test_stages_share_out_the_parameters_and_each_one_learns(spec):
    network = build_backbone(spec)
    stages = network.stages
    assert isinstance(stages, nn.ModuleList)
    assert len(stages) > max(network.out_indices)
    shared = [id(p) for stage in stages for p in stage.parameters()]
    assert sorted(shared) == sorted(id(p) for p in network.parameters())
    sum(y.square().mean() for y in network(torch.randn(2, 3, 64, 64))).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize('spec', LIGHT.values(), ids=LIGHT)
def test_out_indices_choose_among_the_same_maps(spec):
    torch.manual_seed(0)
    chosen = (2, 1)
    # In training mode: by the statistics of no training, a fresh CSNet overflows.
    network = build_backbone(spec).train()
    part = build_backbone({**spec, 'out_indices': chosen}).train()
    part.load_state_dict(network.state_dict())
    images = torch.randn(2, 3, 64, 64)
    maps = dict(zip(network.out_indices, network(images), strict=True))
    assert part.out_indices == (1, 2)
    for index, y in zip(part.out_indices, part(images), strict=True):
        assert torch.equal(y, maps[index])
    with pytest.raises(ValueError, match='out_indices needs stages from 0 to'):
        build_backbone({**spec, 'out_indices': (0, 9)})


def test_stages_behind_the_last_map_are_not_run():
    network = ResNet(18, out_indices=(1,))
    network.layer2.register_forward_hook(lambda *_: pytest.fail('stage 2 was run'))
    network(torch.zeros(1, 3, 32, 32))


def test_replaced_and_copied_modules_are_those_that_run():
    network = nn.SyncBatchNorm.convert_sync_batchnorm(ResNet(18))
    norms = [m for m in network.stages.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 20
    copied = copy.deepcopy(VGG(width=0.1))
    nn.init.zeros_(copied.features[0].weight)
    assert not copied(torch.randn(1, 3, 16, 16))[0].any()


@pytest.mark.parametrize('name', ['efficientnet_lite0', 'resnet18', 'shufflenet_v2', 'vgg16'])
def test_export_gives_the_same_maps(name):
    network = build_backbone(LIGHT[name]).eval()
    images = torch.randn(1, 3, 64, 64)
    exported = torch.export.export(network, (images,)).module()
    for actual, expected in zip(exported(images), network(images), strict=True):
        torch.testing.assert_close(actual, expected)


def test_specs_take_arguments():
    network = build_backbone({'type': 'VGG', 'depth': 11, 'width': 0.5, 'out_indices': [4]})
    assert isinstance(network, VGG)
    assert network.out_channels == (256,)
    assert isinstance(build_backbone('csnet'), CSNetBackbone)
    assert isinstance(build_backbone('mobilenet'), Backbone)


@pytest.mark.parametrize(
    ('spec', 'message'),
    [
        (5, r"is a name such as 'vgg16' or {'type': ...} with arguments, got 5"),
        ('vgg', r"backbone must be one of 'csnet', .*got 'vgg'\. Did you mean 'vgg16'\?"),
        ({'type': 'vgg16'}, "type of the backbone must be one of 'CSNet', .*got 'vgg16'"),
        ({'depth': 16}, 'type of the backbone must be one of .*got None'),
        ({'type': 'VGG', 'layers': 16}, "VGG cannot be built: .*unexpected .* 'layers'"),
        ({'type': 'VGG', 'depth': 17}, 'depth must be one of'),
    ],
)
def test_refuses_what_is_no_backbone(spec, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(spec)


def test_the_spec_of_a_backbone_makes_its_like():
    backbone = build_backbone({'type': 'VGG', 'depth': 11, 'width': 0.1})
    spec = spec_of(backbone)
    assert (spec['type'], spec['depth'], spec['width']) == ('VGG', 11, 0.1)
    again = build_backbone(spec)
    assert {k: v.shape for k, v in again.state_dict().items()} == {
        k: v.shape for k, v in backbone.state_dict().items()
    }
    with pytest.raises(ValueError, match='Identity is not one of the backbones'):
        spec_of(torch.nn.Identity())
