"""``PiCANetASPPHead`` and ``PiCANetUNetHead``, in the networks of their configs."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

pytest.importorskip('mmseg.models', reason='needs mmseg', exc_type=ImportError)

from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch import nn
from torch.nn import functional as F

CONFIGS = Path(__file__).parents[4] / 'configs' / 'picanet_segmentation'


def narrow(name, backbone, **head):
    """Build the model of a config with fewer channels and without weights or dropout."""
    config = Config.fromfile(next(CONFIGS.glob(f'{name}_*'))).model
    config.backbone.update(backbone, init_cfg=None)
    config.decode_head.update(head)
    config.data_preprocessor.pop('size', None)
    config.data_preprocessor.size_divisor = 1
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config).train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return model


def aspp(context):
    """DeepLab's VGG-16 and head in an eighth of their width, dilations and all."""
    return narrow(f'picanet-aspp_vgg16_{context}', {'width': 0.125}, in_channels=64, channels=64)


def unet(setting):
    return narrow(
        f'picanet-unet_vgg16_{setting}',
        {'width': 0.125, 'fc_channels': 64},
        in_channels=(32, 64, 64, 64),
        out_channels=32,
        gap_kernel_size=2,
        renet_channels=16,
        attention_channels=16,
        init_std=None,
    )


@pytest.fixture
def batch():
    """Two images of coloured rectangles, whose classes are their colours; 255 around them."""
    torch.manual_seed(1)
    colours = torch.tensor([[40.0, 40, 40], [220, 60, 60], [60, 60, 220]])
    labels = torch.zeros(2, 64, 64, dtype=torch.long)
    labels[0, 16:48, 8:56] = 1
    labels[1, 24:56, 8:40] = 2
    images = colours[labels].permute(0, 3, 1, 2) + 10 * torch.randn(2, 3, 64, 64)
    labels[:, :4] = 255
    samples = []
    for label in labels:
        sample = SegDataSample(metainfo={'ori_shape': (64, 64), 'img_shape': (64, 64)})
        sample.gt_sem_seg = PixelData(data=label[None])
        samples.append(sample)
    return {'inputs': list(images), 'data_samples': samples}


@pytest.mark.parametrize(('build', 'setting'), [(aspp, 'ac'), (aspp, 'lap'), (unet, '6gap-543lap')])
def test_the_networks_of_the_paper_over_fit_one_batch(build, setting, batch):
    """In an eighth of the width, up to pixels along edges; the U-Net keeps its coarse losses."""
    model = build(setting)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-3))
    losses = [model.train_step(batch, optimizer)['loss'].item() for _ in range(50)]
    assert losses[-1] < 0.25 * losses[0]
    predictions = model.test_step(batch)
    wrong = counted = 0
    for prediction in predictions:
        truth = prediction.gt_sem_seg.data
        wrong += (prediction.pred_sem_seg.data != truth)[truth != 255].sum()
        counted += (truth != 255).sum()
    assert wrong < 0.05 * counted


def gradients(model, batch):
    data = model.data_preprocessor(batch, training=True)
    losses = model(data['inputs'], data['data_samples'], mode='loss')
    model.parse_losses(losses)[0].backward()
    return losses, {name: p.grad for name, p in model.named_parameters()}


def test_a_deeplab_of_the_host_trains_on_a_resnet(batch):
    model = narrow('picanet-aspp_resnet50_lap', {'base_channels': 4}, in_channels=128, channels=16)
    assert type(model.backbone).__module__.startswith('mmseg.')
    # The auxiliary head takes the map before the last; its channels follow the backbone's.
    model.auxiliary_head.convs[0].conv = nn.Conv2d(64, 256, 3, padding=1, bias=False)
    losses, found = gradients(model, batch)
    assert {'decode.loss_ce', 'aux.loss_ce'} <= set(losses)
    assert [name for name, g in found.items() if g is None or not g.isfinite().all()] == []
    assert all(
        found[f'decode_head.net.branches.{b}.context.pool.weigh.conv.weight'].any()
        for b in range(4)
    )


def test_ignored_pixels_do_not_count(batch):
    head = aspp('none').decode_head
    scores = torch.randn(2, 21, 8, 8, dtype=torch.float64)
    loss = head.loss_by_feat(scores, batch['data_samples'])['loss_ce']
    labels = torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])
    # Eight times finer, half a pixel in: bilinear interpolation written as products.
    centres = (torch.arange(64, dtype=torch.float64) + 0.5) / 8 - 0.5
    weights = (1 - (centres.clamp(0, 7)[:, None] - torch.arange(8)).abs()).clamp(0)
    log_p = (weights @ scores @ weights.T).log_softmax(1)
    chosen = log_p.gather(1, labels.clamp(max=20)[:, None])[:, 0]
    torch.testing.assert_close(loss, -chosen[labels != 255].mean())


def test_every_decoder_of_the_unet_is_supervised(batch):
    model = unet('6gap-543ac')
    losses, found = gradients(model, batch)
    weights = {'d6': 0.5, 'd5': 0.5, 'd4': 0.5, 'd3': 0.8}
    assert set(losses) == {*(f'decode.loss_{d}' for d in weights), 'decode.acc_seg'}
    decoded = model.decode_head(model.backbone(torch.randn(2, 3, 64, 64)))
    labels = torch.cat([sample.gt_sem_seg.data for sample in batch['data_samples']])
    terms = model.decode_head.loss_by_feat(decoded, batch['data_samples'])
    for each, (name, weight) in zip(decoded, weights.items(), strict=True):
        scores = F.interpolate(each.logits, (64, 64), mode='bilinear', align_corners=False)
        expected = weight * F.cross_entropy(scores, labels, ignore_index=255)
        torch.testing.assert_close(terms[f'loss_{name}'], expected, rtol=1e-5, atol=0)
    assert all(g is not None and g.isfinite().all() and g.any() for g in found.values())
    # Of 64 pixels Fc7 has 2x2, a sixth of the paper's 12x12 of 384.
    assert [each.logits.shape[-1] for each in decoded] == [2, 4, 8, 16]


def test_a_weight_is_missing():
    with pytest.raises(ValueError, match='level_weights needs 4 entries'):
        unet_head = Config.fromfile(next(CONFIGS.glob('picanet-unet_*'))).model.decode_head
        MODELS.build({**unet_head, 'level_weights': (1.0, 0.5)})
