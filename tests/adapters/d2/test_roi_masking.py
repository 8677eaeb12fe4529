"""RoIMasking in the mask branch of detectron2's StandardROIHeads, from a yaml file."""

from __future__ import annotations

import pytest
import torch
from d2_models import YAML_BACKBONES, yaml_config
from reference_values import settle_statistics
from torch.nn import functional as F

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2.modeling import StandardROIHeads, build_model
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage

import sod_plugins.detectron2 as adapter
from sod_plugins.layers import RoIMasking
from sod_plugins.networks.s4net import S4NetMaskBranch

MODES = ('binary', 'expanded', 'ternary')
SIZE = (64, 96)
BOXES = [[[8.0, 8.0, 40.0, 48.0], [20.5, 3.2, 90.0, 60.0]], [[0.0, 0.0, 96.0, 64.0]], []]


@pytest.fixture(params=MODES)
def model(request, tmp_path):
    """Mask R-CNN on a narrow ResNet-50 with FPN, whose mask branch has the mode."""
    torch.manual_seed(0)
    text = f"""{YAML_BACKBONES['FPN']}
  META_ARCHITECTURE: GeneralizedRCNN
  MASK_ON: True
  ANCHOR_GENERATOR: {{SIZES: [[16], [32], [64], [128], [256]], ASPECT_RATIOS: [[1.0]]}}
  RPN: {{IN_FEATURES: [p2, p3, p4, p5, p6]}}
  ROI_HEADS: {{NAME: RoIMaskingHeads, IN_FEATURES: [p2, p3, p4, p5], NUM_CLASSES: 1}}
  ROI_BOX_HEAD: {{NAME: FastRCNNConvFCHead, NUM_FC: 1, FC_DIM: 16, POOLER_RESOLUTION: 7}}
  ROI_MASK_HEAD: {{NAME: ImageFrameMaskHead}}
SOD:
  ROI_EXTRACTOR: {{mode: {request.param}, alpha: 0.25, out_channels: 8}}
  MASK_HEAD: {{channels: [8, 8]}}
"""
    model = build_model(yaml_config(text, tmp_path))
    settle_statistics(model.backbone, torch.randn(2, 3, *SIZE))
    model.mode = request.param
    return model


def core_of(model):
    """The extractor and the branch of the core, with the weights of the model's."""
    extractor = RoIMasking(16, 8, stride=8, mode=model.mode, alpha=0.25)
    branch = S4NetMaskBranch(8, channels=(8, 8))
    extractor.load_state_dict(model.roi_heads.mask_pooler.net.state_dict())
    branch.load_state_dict(model.roi_heads.mask_head.net.state_dict())
    return extractor.eval(), branch.eval()


def rois_of(boxes):
    return torch.tensor([[i, *box] for i, of_image in enumerate(boxes) for box in of_image])


def instances_of(boxes, name):
    found = []
    for of_image in boxes:
        one = Instances(SIZE)
        one.set(name, Boxes(torch.tensor(of_image).reshape(-1, 4)))
        found.append(one)
    return found


def test_the_registered_heads_are_the_host_s(model):
    assert isinstance(model.roi_heads, StandardROIHeads)
    assert type(model.roi_heads) is adapter.RoIMaskingHeads
    assert model.roi_heads.mask_pooler.net.arguments['mode'] == model.mode
    assert type(model.roi_heads.mask_head) is adapter.ImageFrameMaskHead


def test_masks_are_those_of_the_core(model):
    """Three images at once, one without instances."""
    model.eval()
    extractor, branch = core_of(model)
    with torch.no_grad():
        features = model.backbone(torch.randn(3, 3, *SIZE))
        detected = instances_of(BOXES, 'pred_boxes')
        for one in detected:
            one.pred_classes = torch.zeros(len(one), dtype=torch.int64)
        found = model.roi_heads.forward_with_given_boxes(features, detected)
        # p3 is the level of stride 8.
        expected = branch(extractor(features['p3'], rois_of(BOXES)))[:, 0].sigmoid()
    assert [len(one.pred_masks) for one in found] == [2, 1, 0]
    tensors = torch.cat([one.pred_masks.tensor for one in found])
    torch.testing.assert_close(tensors, expected, rtol=0, atol=1e-6)
    assert tensors.std() > 1e-3  # not one constant


def test_the_loss_is_the_core_s(model):
    """Cross-entropy of each cell by the share of it that the object covers, inside the box."""
    extractor, branch = core_of(model)
    model.train()
    boxes = [[[8.0, 8.0, 40.0, 48.0]], [[16.0, 0.0, 96.0, 64.0]]]
    features = model.backbone(torch.randn(2, 3, *SIZE))
    proposals = instances_of(boxes, 'proposal_boxes')
    masks = torch.zeros(2, *SIZE, dtype=torch.bool)
    masks[0, 10:40, 12:33] = masks[1, 5:60, 20:90] = True
    for one, mask in zip(proposals, masks, strict=True):
        one.gt_classes, one.gt_masks = torch.zeros(1, dtype=torch.int64), BitMasks(mask[None])
    losses = model.roi_heads._forward_mask(features, proposals)

    extractor.train(), branch.train()
    logits = branch(extractor(features['p3'], rois_of(boxes)))[:, 0]
    targets = F.avg_pool2d(masks[:, None].float(), 8)[:, 0]
    inside = torch.zeros(2, 8, 12)
    inside[0, 1:6, 1:5] = inside[1, :, 2:] = 1  # boxes of whole cells
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction='none')
    expected = (each * inside).sum() / inside.sum()
    torch.testing.assert_close(losses['loss_mask'], expected)


def test_a_training_step_changes_the_branch(model):
    image = torch.randint(0, 256, (3, *SIZE)).float()
    (truth,) = instances_of([[[8.0, 8.0, 40.0, 48.0]]], 'gt_boxes')
    masks = torch.zeros(1, *SIZE, dtype=torch.bool)
    masks[0, 8:48, 8:40] = True
    truth.gt_classes, truth.gt_masks = torch.zeros(1, dtype=torch.int64), BitMasks(masks)
    branch = [model.roi_heads.mask_pooler, model.roi_heads.mask_head]
    before = [p.detach().clone() for part in branch for p in part.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    with EventStorage():
        losses = model.train()([{'image': image, 'instances': truth}])
    sum(losses.values()).backward()
    optimizer.step()
    after = [p for part in branch for p in part.parameters()]
    assert all(p.isfinite().all() for p in model.parameters())
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
