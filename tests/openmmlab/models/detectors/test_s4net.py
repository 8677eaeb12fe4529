from __future__ import annotations

import re

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import DefaultScope
from torch.nn import functional as F

from sod_plugins.checkpoints.old_formats import network_of_config
from sod_plugins.networks.backbones import ResNet
from sod_plugins.openmmlab.errors import LaunchError

pytestmark = pytest.mark.mmdet
PARTS = re.compile(r'^(backbone|neck|bbox_head|roi_extractor|mask_head)\.net\.')


@pytest.fixture(autouse=True)
def mmdet_scope():
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        yield


@pytest.fixture
def pair(narrow_s4net):
    """The detector, and the plain network of the same weights."""
    detector = MODELS.build(narrow_s4net).eval()
    cls, arguments = network_of_config(narrow_s4net.to_dict())
    plain = cls(**arguments).eval()
    weights = {PARTS.sub(r'\1.', key): value for key, value in detector.state_dict().items()}
    plain.load_state_dict(weights)
    return detector, plain


def test_predicts_what_the_plain_network_does(pair, scene):
    detector, plain = pair
    images = torch.randn(2, 3, 64, 96)
    for sample, expected in zip(
        detector.predict(images, [scene(0), scene(1)]), plain(images), strict=True
    ):
        found = sample.pred_instances
        assert len(found) == 20
        torch.testing.assert_close(found.bboxes, expected.boxes)
        torch.testing.assert_close(found.scores, expected.scores)
        assert torch.equal(found.masks, expected.masks)
        assert not found.labels.any()


def test_results_are_at_the_original_size(pair, scene):
    """A photo of 128x288 pixels was squashed to 64x96: boxes and masks go back by 2 and by 3."""
    detector, _ = pair
    images = torch.randn(1, 3, 64, 96)
    sample = scene(0)
    sample.set_metainfo({'ori_shape': (128, 288)})
    small = detector.predict(images, [scene(0)])[0].pred_instances
    large = detector.predict(images, [sample])[0].pred_instances
    torch.testing.assert_close(large.bboxes, small.bboxes * torch.tensor([3.0, 2, 3, 2]))
    assert large.masks.shape == (20, 128, 288)
    areas = F.adaptive_avg_pool2d(large.masks.float(), (64, 96)) - small.masks.float()
    assert areas.abs().mean() < 0.01  # their outlines alone differ
    kept = detector.predict(images, [sample], rescale=False)[0].pred_instances
    assert torch.equal(kept.masks, small.masks)


def test_padding_is_no_part_of_an_image(pair, scene):
    detector, _ = pair
    sample = scene(0)
    sample.set_metainfo({'img_shape': (40, 50), 'ori_shape': (40, 50)})
    found = detector.predict(torch.randn(1, 3, 64, 96), [sample])[0].pred_instances
    assert (found.bboxes <= torch.tensor([50.0, 40, 50, 40])).all()
    assert found.masks.shape == (len(found), 40, 50)


def test_losses_are_those_of_the_plain_network(pair, scene):
    detector, plain = pair
    images = torch.randn(2, 3, 64, 96)
    samples = [scene(3), scene(1)]
    targets = [
        {'boxes': truth.bboxes, 'masks': truth.masks.to_tensor(torch.bool, 'cpu')}
        for truth in (sample.gt_instances for sample in samples)
    ]
    torch.testing.assert_close(detector.loss(images, samples), plain.losses(images, targets))


@pytest.mark.parametrize('extractor', ['RoIMasking', 'RoIAlign', 'RoIPool'])
@pytest.mark.parametrize('counts', [(0, 0), (1, 0), (3, 2)])
def test_losses_and_gradients_are_finite(counts, extractor, narrow_s4net, scene):
    narrow_s4net.roi_extractor.type = f'sod_plugins.{extractor}'
    detector = MODELS.build(narrow_s4net).train()
    losses = detector.loss(torch.randn(2, 3, 64, 96), [scene(count) for count in counts])
    assert set(losses) == {'loss_obj', 'loss_box', 'loss_mask'}
    sum(losses.values()).backward()
    gradients = {name: p.grad for name, p in detector.named_parameters()}
    # In distributed training a parameter without a gradient would stop all processes.
    assert all(grad is not None and grad.isfinite().all() for grad in gradients.values())
    assert (losses['loss_mask'] > 0) == (losses['loss_box'] > 0) == bool(sum(counts))


def test_one_image_is_learned(narrow_s4net, scene):
    detector = MODELS.build(narrow_s4net).train()
    sample = scene(2)
    image = torch.randn(1, 3, 64, 96) / 4
    image += sample.gt_instances.masks.to_tensor(torch.float32, 'cpu').sum(0)
    optimizer = torch.optim.Adam(detector.parameters(), lr=2e-3)
    totals = []
    for _ in range(40):
        losses = detector.loss(image, [sample])
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
        totals.append(sum(losses.values()).item())
    assert totals[-1] < 0.3 * totals[0]
    assert losses['loss_mask'] < 0.3


def test_masking_is_refused_before_heads_that_work_in_the_box(narrow_s4net):
    narrow_s4net.mask_head = dict(type='FCNMaskHead', num_classes=1, in_channels=32)
    with pytest.raises(ValueError, match='FCNMaskHead expects features cropped to the box') as info:
        MODELS.build(narrow_s4net)
    assert 'RoIMasking keeps the frame of the image' in str(info.value)


def test_a_mask_head_of_mmdet_follows_roi_align(narrow_s4net, scene):
    narrow_s4net.roi_extractor.update(type='sod_plugins.RoIAlign', output_size=14)
    narrow_s4net.mask_head = dict(
        type='FCNMaskHead', num_classes=1, num_convs=1, in_channels=32, conv_out_channels=8
    )
    detector = MODELS.build(narrow_s4net)
    detector.init_weights()
    assert detector.loss(torch.randn(1, 3, 64, 96), [scene(2)])['loss_mask'].isfinite()
    found = detector.eval().predict(torch.randn(1, 3, 64, 96), [scene(0)])[0].pred_instances
    assert found.masks.shape == (20, 64, 96)


def test_resnet50_starts_from_a_file(narrow_s4net, tmp_path):
    """As torchvision has it, with the classifier."""
    backbone = ResNet(50)
    path = tmp_path / 'resnet50.pth'
    classifier = {'fc.weight': torch.zeros(1000, 2048), 'fc.bias': torch.zeros(1000)}
    torch.save(backbone.state_dict() | classifier, path)
    narrow_s4net.backbone = dict(
        type='sod_plugins.ResNet',
        depth=50,
        out_indices=(2, 3, 4),
        init_cfg=dict(type='sod_plugins.BackboneWeights', checkpoint=str(path)),
    )
    narrow_s4net.neck.in_channels = (512, 1024, 2048)
    detector = MODELS.build(narrow_s4net)
    detector.init_weights()
    torch.testing.assert_close(detector.backbone.net.state_dict(), backbone.state_dict())
    torch.save({'conv1.weight': torch.zeros(64, 3, 7, 7)}, path)
    with pytest.raises(LaunchError, match=r'resnet50\.pth does not fit this ResNet: missing keys'):
        MODELS.build(narrow_s4net).init_weights()
