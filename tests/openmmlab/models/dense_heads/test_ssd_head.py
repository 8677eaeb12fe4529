"""``SSDHead`` in a detector on a narrow VGG and PiCANet's neck, at 96x96."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip('mmdet.models', reason='needs mmdet', exc_type=ImportError)

from mmdet.structures import DetDataSample
from mmengine.config import ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS, DefaultScope
from mmengine.structures import InstanceData

pytestmark = pytest.mark.mmdet


@pytest.fixture
def detector():
    """Maps of 24, 12, 6, 3 and 1 pixels, whose anchors are squares and 1:2 boxes."""
    config = ConfigDict(
        type='mmdet.SingleStageDetector',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor', mean=[127.5] * 3, std=[60.0] * 3),
        backbone=dict(type='sod_plugins.VGG', depth=11, width=0.125, out_indices=(2, 3)),
        neck=dict(
            type='sod_plugins.PiCANetSSDNeck',
            in_channels=(32, 64),
            setting='478LAP_910GAP',
            extra_channels=(32, 32, 32),
            extra_strides=(2, 2, 1),
            map_size=12,
            hidden_channels=8,
            renet_channels=8,
        ),
        bbox_head=dict(
            type='sod_plugins.SSDHead',
            num_classes=2,
            in_channels=(64, 128, 32, 32, 32),
            anchor_generator=dict(
                type='SSDAnchorGenerator',
                scale_major=False,
                strides=[4, 8, 16, 32, 96],
                ratios=[[2]] * 5,
                min_sizes=[8, 16, 32, 48, 72],
                max_sizes=[16, 32, 48, 72, 96],
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder', target_stds=[0.1, 0.1, 0.2, 0.2]),
        ),
        train_cfg=dict(
            assigner=dict(
                type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, gt_max_assign_all=False
            ),
            sampler=dict(type='PseudoSampler'),
            smoothl1_beta=1.0,
            allowed_border=-1,
            pos_weight=-1,
            neg_pos_ratio=3,
        ),
        test_cfg=dict(
            nms_pre=1000,
            nms=dict(type='nms', iou_threshold=0.45),
            min_bbox_size=0,
            score_thr=0.02,
            max_per_img=200,
        ),
    )
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        model = MODELS.build(config)
    model.init_weights()
    return model.train()


BOXES = torch.tensor([[10.0, 12, 42, 80], [50, 30, 88, 66]])


def scene(boxes):
    """An image with a filled rectangle for each box, the classes of red and blue in turn."""
    generator = torch.Generator().manual_seed(1)
    image = 40 * torch.rand(3, 96, 96, generator=generator)
    labels = torch.arange(len(boxes)) % 2
    for (x1, y1, x2, y2), label in zip(boxes.int().tolist(), labels, strict=True):
        image[2 * int(label), y1:y2, x1:x2] += 180
    sample = DetDataSample(
        metainfo=dict(
            img_id=0,
            img_shape=(96, 96),
            ori_shape=(48, 96),
            scale_factor=(1.0, 2.0),
            pad_shape=(96, 96),
            batch_input_shape=(96, 96),
        )
    )
    sample.gt_instances = InstanceData(bboxes=boxes, labels=labels)
    return {'inputs': [image], 'data_samples': [sample]}


def overlap(box, other):
    corner = torch.minimum(box[2:], other[2:]) - torch.maximum(box[:2], other[:2])
    inside = corner.clamp(min=0).prod()
    return inside / ((box[2:] - box[:2]).prod() + (other[2:] - other[:2]).prod() - inside)


def test_the_loss_of_one_image_falls_and_its_boxes_are_found(detector):
    data = scene(BOXES)
    optimizer = OptimWrapper(torch.optim.Adam(detector.parameters(), lr=2e-3))
    losses = [detector.train_step(data, optimizer)['loss'].item() for _ in range(60)]
    assert losses[-1] < 0.1 * losses[0]
    (prediction,) = detector.eval().test_step(data)
    found = prediction.pred_instances
    for box, label in zip(BOXES, (0, 1), strict=True):
        of_class = found[found.labels == label]
        best = of_class[of_class.scores.argmax().item()]
        assert best.scores.item() > 0.9
        # Predictions are in the original image, half as high.
        assert overlap(best.bboxes[0] * torch.tensor([1, 2, 1, 2]), box) > 0.75


def test_scores_are_the_softmax_over_classes_and_background(detector):
    """What mmdet's own head cannot say: it ends in an AttributeError for its absent loss_cls."""
    data = scene(BOXES)
    detector.eval()
    (prediction,) = detector.test_step(data)
    with torch.no_grad():
        inputs = detector.data_preprocessor(data)['inputs']
        scores, _ = detector.bbox_head(detector.extract_feat(inputs))
    flat = torch.cat([s.permute(0, 2, 3, 1).reshape(-1, 3) for s in scores]).softmax(1)
    assert prediction.pred_instances.scores.max() == flat[:, :2].max()


@pytest.mark.parametrize('count', [0, 1, 30])
def test_any_number_of_objects_gives_finite_gradients(count, detector):
    generator = torch.Generator().manual_seed(2)
    corners = 60 * torch.rand(count, 2, generator=generator)
    boxes = torch.cat((corners, corners + 8 + 24 * torch.rand(count, 2, generator=generator)), 1)
    data = detector.data_preprocessor(scene(boxes), training=True)
    losses = detector(**data, mode='loss')
    detector.parse_losses(losses)[0].backward()
    assert all(p.grad.isfinite().all() for p in detector.parameters() if p.grad is not None)
    assert any(p.grad.any() for p in detector.bbox_head.parameters()) == (count > 0)


def test_every_parameter_of_neck_and_head_receives_a_gradient(detector):
    data = detector.data_preprocessor(scene(BOXES), training=True)
    for module in (detector.neck, detector.bbox_head):
        module.zero_grad()
    maps = detector.extract_feat(data['inputs'])
    torch.manual_seed(0)
    outs = [out for level in detector.bbox_head(maps) for out in level]
    sum((out * torch.randn_like(out)).sum() for out in outs).backward()
    for module in (detector.neck, detector.bbox_head):
        gradients = {name: p.grad for name, p in module.named_parameters()}
        assert [name for name, g in gradients.items() if g is None or not g.any()] == []
