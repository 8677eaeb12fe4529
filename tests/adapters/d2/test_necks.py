"""PiCANet between detectron2's pyramids and its heads, from yaml files."""

from __future__ import annotations

import pytest
import torch
from d2_models import YAML_BACKBONES, yaml_config
from reference_values import settle_statistics

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2.modeling import FPN, RetinaNet, build_backbone, build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage

import sod_plugins.detectron2 as adapter
from sod_plugins.networks.picanet import PiCANetContextNeck

WIDTHS = {'gap_size': 2, 'hidden_channels': 4, 'renet_channels': 4}
SOD = """
SOD:
  NECK: {{contexts: {contexts}, gap_size: 2, hidden_channels: 4, renet_channels: 4}}
"""


def config_of(builder, contexts, folder, more=''):
    head = YAML_BACKBONES['FPN'].replace('build_resnet_fpn_backbone', builder)
    if 'retinanet' in builder:
        head = head.replace('FPN: {IN_FEATURES: [res2, ', 'FPN: {IN_FEATURES: [')
    return yaml_config(head + more + SOD.format(contexts=contexts), folder)


@pytest.mark.parametrize(
    ('builder', 'names', 'contexts'),
    [
        ('build_picanet_fpn_backbone', 'p2 p3 p4 p5 p6', {'p2': 'AC', 'p3': 'LAP', 'p5': 'GAP'}),
        ('build_picanet_retinanet_fpn_backbone', 'p3 p4 p5 p6 p7', {'p3': 'LAP', 'p5': 'GAP'}),
    ],
)
def test_maps_are_those_of_the_core(builder, names, contexts, tmp_path):
    torch.manual_seed(0)
    backbone = build_backbone(config_of(builder, contexts, tmp_path)).eval()
    settle_statistics(backbone, torch.randn(2, 3, 64, 96))
    names = names.split()
    assert type(backbone) is adapter.PiCANetNeck and type(backbone.bottom_up) is FPN
    assert backbone.output_shape() == backbone.bottom_up.output_shape()
    assert list(backbone.output_shape()) == names
    assert backbone.size_divisibility == backbone.bottom_up.size_divisibility > 0
    core = PiCANetContextNeck([16] * 5, [contexts.get(n, 'none') for n in names], **WIDTHS).eval()
    core.load_state_dict(backbone.net.state_dict())
    images = torch.randn(2, 3, 64, 96)
    with torch.no_grad():
        before, found = backbone.bottom_up(images), backbone(images)
        expected = dict(zip(names, core([before[n].clone() for n in names]), strict=True))
    assert list(found) == names
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=0, atol=1e-6)
        assert torch.equal(value, before[name]) == (name not in contexts)


def test_retinanet_learns_by_it(tmp_path):
    """Every weight between the pyramid and the head gets a gradient of the losses."""
    torch.manual_seed(0)
    more = """
  META_ARCHITECTURE: RetinaNet
  ANCHOR_GENERATOR: {SIZES: [[16], [32], [64], [128], [256]], ASPECT_RATIOS: [[1.0]]}
  RETINANET: {IN_FEATURES: [p3, p4, p5, p6, p7], NUM_CLASSES: 1, NUM_CONVS: 1}
"""
    contexts = {'p3': 'LAP', 'p4': 'AC', 'p6': 'GAP'}
    builder = 'build_picanet_retinanet_fpn_backbone'
    model = build_model(config_of(builder, contexts, tmp_path, more))
    assert type(model) is RetinaNet
    settle_statistics(model.backbone, torch.randn(2, 3, 128, 128))
    truth = Instances((128, 128), gt_boxes=Boxes(torch.tensor([[16.0, 24.0, 80.0, 72.0]])))
    truth.gt_classes = torch.zeros(1, dtype=torch.int64)
    image = torch.randint(0, 256, (3, 128, 128))
    with EventStorage():
        sum(model.train()([{'image': image, 'instances': truth}]).values()).backward()
    for name, value in model.backbone.net.named_parameters():
        assert value.grad.isfinite().all() and (value.grad != 0).any(), name


def test_a_map_that_there_is_not_is_named(tmp_path):
    cfg = config_of('build_picanet_fpn_backbone', {'p9': 'LAP'}, tmp_path)
    with pytest.raises(ValueError, match=r"contexts for \['p9'\]; the maps are \['p2', 'p3'"):
        build_backbone(cfg)
    cfg = config_of('build_picanet_fpn_backbone', {'p2': 'LAB'}, tmp_path)
    with pytest.raises(ValueError, match='contexts must be'):
        build_backbone(cfg)
