"""Every decoder on detectron2's own backbones, in its own segmentors, from yaml files."""

from __future__ import annotations

import pytest
import torch
from d2_models import YAML_BACKBONES, yaml_config
from torch.nn import functional as F

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2.modeling import PanopticFPN, build_model
from detectron2.modeling.meta_arch import SemanticSegmentor
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage
from reference_values import settle_statistics

import sod_plugins.detectron2 as adapter
from sod_plugins.networks.csnet.decoder import CSFDecoder
from sod_plugins.networks.itdbu import ITDBUDecoder
from sod_plugins.networks.picanet import PiCANetASPP, PiCANetDecoder
from sod_plugins.networks.samnet.decoder import SAMNetDecoder

MAPS = {'FPN': ['p2', 'p3', 'p4', 'p5'], 'DeepLab': ['res2', 'res3', 'res4', 'res5']}
STRIDES = {'FPN': (4, 8, 16, 32), 'DeepLab': (4, 8, 8, 8)}
GAP = {'gap_kernel_size': 2, 'gap_dilation': 1}
# Head -> the decoder of the core, and its arguments in yaml and there.
SALIENCY = {
    'CSFHead': (CSFDecoder, {}),
    'SAMNetHead': (SAMNetDecoder, {}),
    'ITDBUHead': (ITDBUDecoder, {'iterations': 1, 'hidden_channels': 4}),
    'PiCANetHead': (PiCANetDecoder, {'setting': '4GAP_32AC', **GAP}),
}
CLASSES = {
    'PiCANetASPPHead': (PiCANetASPP, {'channels': 8, 'context': 'LAP'}),
    'PiCANetUNetHead': (PiCANetDecoder, {'setting': '6GAP_543LAP', 'out_channels': 8, **GAP}),
}
# What the U-Net head adds to the arguments of its decoder.
UNET = {'first_level': 3, 'level_weights': (0.0, 0.0, 0.8, 0.5, 0.5, 0.5)}


def config_of(backbone, head, arguments, folder, meta='SemanticSegmentor', more=''):
    one = {'FPN': ['p2'], 'DeepLab': ['res5']}
    features = one[backbone] if head == 'PiCANetASPPHead' else MAPS[backbone]
    text = f"""{YAML_BACKBONES[backbone]}
  META_ARCHITECTURE: {meta}
  SEM_SEG_HEAD: {{NAME: {head}, IN_FEATURES: {features}, NUM_CLASSES: 3}}
{more}
SOD:
  HEAD: {arguments}
"""
    return yaml_config(text, folder)


def decoder_of(head, plain_class, arguments, backbone):
    """The decoder of the core that the head of a model should be, with its weights."""
    own = dict(arguments)
    channels = [backbone.output_shape()[name].channels for name in head.in_features]
    if plain_class is PiCANetASPP:
        decoder = plain_class(channels[0], num_classes=3, **own)
    elif isinstance(head, adapter.PiCANetUNetHead):
        decoder = plain_class(channels, num_classes=3, **own, **UNET)
    else:
        if plain_class is PiCANetDecoder:
            own['in_strides'] = [backbone.output_shape()[name].stride for name in head.in_features]
        decoder = plain_class(channels, **own)
    decoder.load_state_dict(head.net.state_dict())
    return decoder.eval()


def expected_logits(decoder, features, names, size):
    """What the decoder of the core finds in maps, resized as its paper does."""
    maps = [features[name] for name in names]
    if isinstance(decoder, SAMNetDecoder):  # by its probabilities, corners aligned
        levels = decoder(maps)[0].sigmoid()
        found = F.interpolate(levels, size, mode='bilinear', align_corners=True)
        return found.clamp(1e-6, 1 - 1e-6).logit()
    logits = decoder(maps[0]) if isinstance(decoder, PiCANetASPP) else decoder(maps)
    return F.interpolate(logits, size, mode='bilinear', align_corners=False)


@pytest.mark.parametrize('backbone', YAML_BACKBONES)
@pytest.mark.parametrize('head', [*SALIENCY, *CLASSES])
def test_decoders_in_the_host_s_segmentor(backbone, head, tmp_path):
    """Each learns there, and finds what the decoder of the core finds on the same maps."""
    torch.manual_seed(0)
    plain_class, arguments = {**SALIENCY, **CLASSES}[head]
    model = build_model(config_of(backbone, head, arguments, tmp_path))
    assert type(model) is SemanticSegmentor
    shapes = model.backbone.output_shape()
    assert tuple(shapes[name].stride for name in MAPS[backbone]) == STRIDES[backbone]

    images = torch.randint(0, 256, (2, 3, 64, 96))
    settle_statistics(model.backbone, torch.randn(2, 3, 64, 96))
    truth = torch.rand(2, 64, 96) if head in SALIENCY else torch.randint(0, 3, (2, 64, 96))
    samples = [{'image': i, 'sem_seg': t} for i, t in zip(images, truth, strict=True)]
    sum(model.train()(samples).values()).backward()
    gradients = [p.grad for p in model.sem_seg_head.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)
    reached = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert all(g.isfinite().all() for g in reached) and any((g != 0).any() for g in reached)

    model.eval()
    decoder = decoder_of(model.sem_seg_head, plain_class, arguments, model.backbone)
    with torch.no_grad():
        (found,) = model([{'image': images[0], 'height': 30, 'width': 41}])
        features = model.backbone((images[:1] - model.pixel_mean) / model.pixel_std)
        whole = expected_logits(decoder, features, model.sem_seg_head.in_features, (64, 96))
        expected = F.interpolate(whole, (30, 41), mode='bilinear', align_corners=False)[0]
    torch.testing.assert_close(found['sem_seg'], expected, rtol=1e-5, atol=1e-5)


PANOPTIC = """
  MASK_ON: True
  ANCHOR_GENERATOR: {SIZES: [[16], [32], [64], [128], [256]], ASPECT_RATIOS: [[1.0]]}
  RPN: {IN_FEATURES: [p2, p3, p4, p5, p6]}
  ROI_HEADS: {NAME: StandardROIHeads, IN_FEATURES: [p2, p3, p4, p5], NUM_CLASSES: 2}
  ROI_BOX_HEAD: {NAME: FastRCNNConvFCHead, NUM_FC: 1, FC_DIM: 16, POOLER_RESOLUTION: 7}
  ROI_MASK_HEAD: {NAME: MaskRCNNConvUpsampleHead, NUM_CONV: 1, CONV_DIM: 8, POOLER_RESOLUTION: 14}
"""


@pytest.mark.parametrize('head', CLASSES)
def test_decoders_of_classes_in_panoptic_fpn(head, tmp_path):
    """One step of the whole model on things and stuff; then all three results."""
    torch.manual_seed(0)
    plain_class, arguments = CLASSES[head]
    cfg = config_of('FPN', head, arguments, tmp_path, 'PanopticFPN', PANOPTIC)
    model = build_model(cfg)
    assert type(model) is PanopticFPN
    settle_statistics(model.backbone, torch.randn(2, 3, 64, 96))
    image = torch.randint(0, 256, (3, 64, 96))
    stuff = torch.randint(0, 3, (64, 96))
    stuff[:5] = 255  # does not count
    things = Instances((64, 96), gt_boxes=Boxes(torch.tensor([[8.0, 8.0, 40.0, 48.0]])))
    masks = torch.zeros(1, 64, 96, dtype=torch.bool)
    masks[0, 8:48, 8:40] = True
    things.gt_classes, things.gt_masks = torch.tensor([1]), BitMasks(masks)
    sample = {'image': image, 'sem_seg': stuff, 'instances': things}
    with EventStorage():
        losses = model.train()([sample, sample])
    assert {'loss_mask', 'loss_cls', 'loss_rpn_cls'} < losses.keys()
    sum(losses.values()).backward()
    gradients = [p.grad for p in model.sem_seg_head.parameters()]
    assert all(g is not None and g.isfinite().all() for g in gradients)

    model.eval()
    decoder = decoder_of(model.sem_seg_head, plain_class, arguments, model.backbone)
    with torch.no_grad():
        (found,) = model([{'image': image, 'height': 64, 'width': 96}])
        features = model.backbone((image[None] - model.pixel_mean) / model.pixel_std)
        (expected,) = expected_logits(decoder, features, model.sem_seg_head.in_features, (64, 96))
    torch.testing.assert_close(found['sem_seg'], expected, rtol=1e-5, atol=1e-5)
    segments, described = found['panoptic_seg']
    assert segments.shape == (64, 96)
    assert {entry['id'] for entry in described} == set(segments.unique().tolist()) - {0}
