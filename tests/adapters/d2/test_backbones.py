from __future__ import annotations

import pytest
import torch
from reference_values import settle_statistics
from torch.nn.modules.batchnorm import _BatchNorm

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2.config import get_cfg
from detectron2.modeling import FPN, build_backbone

import sod_plugins.detectron2 as adapter
from sod_plugins.networks import CSNetBackbone, backbones
from sod_plugins.networks.backbones import SAMNetBackbone

PLAIN = {
    'CSNet': (CSNetBackbone, {'width': 0.4, 'stage_blocks': [1, 1, 1, 1]}),
    'SAMNet': (SAMNetBackbone, {'width': 0.5}),
    'VGG': (backbones.VGG, {'depth': 11, 'out_indices': [1, 3]}),
    'ResNet': (backbones.ResNet, {'depth': 18, 'out_indices': [0, 2, 4]}),
    'MobileNet': (backbones.MobileNet, {'width': 0.25}),
    'ShuffleNet': (backbones.ShuffleNet, {}),
    'ShuffleNetV2': (backbones.ShuffleNetV2, {}),
    'EfficientNetLite': (backbones.EfficientNetLite, {'variant': 0, 'out_indices': [2, 4]}),
}


def config_of(name, arguments, **given):
    cfg = get_cfg()
    adapter.add_sod_plugins_config(cfg)
    cfg.MODEL.BACKBONE.NAME = name
    cfg.MODEL.BACKBONE.FREEZE_AT = given.get('freeze_at', 0)
    cfg.SOD.BACKBONE_WEIGHTS = str(given.get('weights', ''))
    for key, value in arguments.items():
        cfg.SOD.BACKBONE[key] = value
    return cfg


@pytest.mark.parametrize('name', PLAIN)
def test_named_maps_equal_those_of_the_plain_extractor(name):
    plain_class, arguments = PLAIN[name]
    backbone = build_backbone(config_of(name, arguments))
    plain = plain_class(**arguments)
    settle_statistics(plain, torch.randn(2, 3, 64, 64))
    backbone.net.load_state_dict(plain.state_dict())
    backbone.eval()
    images = torch.randn(1, 3, 65, 97)  # no stride divides them
    maps, shapes = backbone(images), backbone.output_shape()
    assert list(maps) == list(shapes)
    with torch.no_grad():
        for (key, value), expected in zip(maps.items(), plain(images), strict=True):
            torch.testing.assert_close(value, expected, rtol=0, atol=0)
            stride = shapes[key].stride
            assert value.shape[1] == shapes[key].channels
            for side, length in zip(value.shape[2:], (65, 97), strict=True):
                assert side in (length // stride, -(-length // stride))
    assert backbone.size_divisibility == 0


def test_names_are_those_of_stages_or_of_detectron2_s_resnet():
    resnet = build_backbone(config_of('ResNet', {'depth': 18, 'out_indices': [0, 1, 4]}))
    assert list(resnet.output_shape()) == ['stem', 'res2', 'res5']
    assert list(build_backbone(config_of('CSNet', {})).output_shape()) == [
        'stage1',
        'stage2',
        'stage3',
    ]


@pytest.mark.parametrize('name', PLAIN)
def test_freezing_keeps_parameters_and_statistics(name):
    backbone = build_backbone(config_of(name, PLAIN[name][1], freeze_at=2)).train()
    frozen = backbone.net.stages[:2]
    assert not any(p.requires_grad for p in frozen.parameters())
    assert all(p.requires_grad for p in backbone.net.stages[2:].parameters())
    before = {k: v.clone() for k, v in frozen.state_dict().items()}
    backbone(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(v, before[k]) for k, v in frozen.state_dict().items())


def test_norm_eval_keeps_all_statistics():
    backbone = adapter.ResNet(depth=18, norm_eval=True).train()
    assert not any(m.training for m in backbone.modules() if isinstance(m, _BatchNorm))


def test_weights_come_from_the_same_files(tmp_path):
    plain = backbones.ResNet(depth=18)
    torch.save(plain.state_dict(), tmp_path / 'resnet18.pth')
    cfg = config_of('ResNet', {'depth': 18}, weights=tmp_path / 'resnet18.pth')
    for name, value in build_backbone(cfg).net.state_dict().items():
        assert torch.equal(value, plain.state_dict()[name])
    with pytest.raises(ValueError, match='fit'):
        build_backbone(config_of('ResNet', {'depth': 34}, weights=tmp_path / 'resnet18.pth'))


def test_a_misspelt_argument_is_refused_by_name():
    with pytest.raises(TypeError, match=r'CSNet got an unexpected.*widht.*width'):
        build_backbone(config_of('CSNet', {'widht': 0.5}))
    with pytest.raises(ValueError, match='freeze_at must be from 0 to 4'):
        adapter.CSNet(freeze_at=5)


def test_the_host_s_pyramid_takes_them():
    bottom_up = adapter.ResNet(depth=18, out_indices=(1, 2, 3, 4))
    fpn = FPN(bottom_up, ['res2', 'res3', 'res4', 'res5'], 16)
    maps = fpn(torch.randn(1, 3, 64, 96))
    assert {k: tuple(v.shape[1:]) for k, v in maps.items()} == {
        'p2': (16, 16, 24),
        'p3': (16, 8, 12),
        'p4': (16, 4, 6),
        'p5': (16, 2, 3),
    }
