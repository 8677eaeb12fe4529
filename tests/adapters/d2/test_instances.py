"""S4Net and RoIMasking in detectron2's models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from d2_models import NARROW, sample_of
from d2_models import s4net_config as config_of
from reference_values import settle_statistics

pytest.importorskip('detectron2.modeling', exc_type=ImportError)

from detectron2 import model_zoo
from detectron2.config import LazyCall, instantiate
from detectron2.engine import DefaultPredictor
from detectron2.layers import ShapeSpec
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances
from detectron2.utils.events import EventStorage
from detectron2.utils.visualizer import Visualizer

import sod_plugins.detectron2 as adapter
from sod_plugins.checkpoints import load_network, save_network
from sod_plugins.inference import InstancePredictor
from sod_plugins.networks import Preprocessing, S4Net


@pytest.fixture
def plain():
    torch.manual_seed(0)
    network = S4Net(backbone={'type': 'ResNet', 'depth': 18}, **NARROW)
    settle_statistics(network.backbone, torch.randn(2, 3, 64, 64))
    network.preprocessing = Preprocessing((64, 64))
    return network.eval()


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def check_equal(found, expected):
    assert len(found) == len(expected.scores) > 0
    np.testing.assert_allclose(found.scores, expected.scores, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.pred_boxes.tensor, expected.boxes, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.pred_masks.numpy(), expected.masks)
    assert set(found.pred_classes.tolist()) == {0}


def test_checkpoints_go_both_ways_with_equal_outputs(plain, photo, tmp_path):
    save_network(tmp_path / 'plain.pth', plain)
    model = build_model(config_of()).eval()
    checkpointer = adapter.Checkpointer(model, str(tmp_path))
    checkpointer.load(str(tmp_path / 'plain.pth'))
    with torch.no_grad():
        (output,) = model([sample_of(photo)])
    expected = InstancePredictor(plain).predict(photo)
    check_equal(output['instances'], expected)
    checkpointer.save('trained_here')
    again = load_network(tmp_path / 'trained_here.pth')
    assert (type(again), again.preprocessing) == (S4Net, plain.preprocessing)
    check_equal(output['instances'], InstancePredictor(again).predict(photo))


def truth_of(size, boxes):
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    return Instances(
        size,
        gt_boxes=Boxes(torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)),
        gt_classes=torch.zeros(len(boxes), dtype=torch.int64),
        gt_masks=BitMasks(masks),
    )


@pytest.mark.parametrize(
    'boxes', [[[8, 8, 40, 48]], [[0, 0, 20, 20], [10, 10, 60, 60]], []], ids=['one', 'two', 'none']
)
def test_losses_equal_those_of_the_plain_network(plain, boxes):
    model = build_model(config_of())
    prefixes = adapter.describe_model(model).prefixes
    model.load_state_dict(
        {
            theirs + key.removeprefix(ours): value
            for key, value in plain.state_dict().items()
            for theirs, ours in prefixes.items()
            if key.startswith(ours)
        }
    )
    image = torch.randint(0, 256, (3, 64, 64)).float()
    instances = truth_of((64, 64), boxes)
    sample = {'image': image, 'instances': instances}
    normalised = (image - model.pixel_mean) / model.pixel_std
    target = {'boxes': instances.gt_boxes.tensor, 'masks': instances.gt_masks.tensor}
    torch.manual_seed(1)
    expected = plain.train().losses(torch.stack([normalised] * 2), [target] * 2)
    torch.manual_seed(1)
    losses = model.train()([sample] * 2)
    assert losses.keys() == expected.keys() == {'loss_obj', 'loss_box', 'loss_mask'}
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)
    sum(losses.values()).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())


def test_default_predictor_and_visualizer(plain, photo, tmp_path):
    save_network(tmp_path / 'plain.pth', plain)
    cfg = config_of()
    model = build_model(cfg)
    checkpointer = adapter.Checkpointer(model, str(tmp_path))
    checkpointer.load(str(tmp_path / 'plain.pth'))
    checkpointer.save('model_final')
    cfg.MODEL.WEIGHTS, cfg.INPUT.MIN_SIZE_TEST = str(tmp_path / 'model_final.pth'), 0
    found = DefaultPredictor(cfg)(photo[..., ::-1].copy())['instances']  # as OpenCV reads: BGR
    check_equal(found, InstancePredictor(plain).predict(photo))
    drawn = Visualizer(photo).draw_instance_predictions(found).get_image()
    assert drawn.shape == photo.shape and (drawn != photo).any()


@pytest.mark.parametrize('mode', ['ternary', 'binary', 'expanded'])
def test_every_mode_trains(mode):
    model = build_model(config_of(mode)).train()
    sample = {
        'image': torch.randint(0, 256, (3, 64, 64)).float(),
        'instances': truth_of((64, 64), [[8, 8, 40, 48]]),
    }
    assert all(v.isfinite() for v in model([sample] * 2).values())
    assert model.roi_extractor.arguments['mode'] == mode


@pytest.mark.parametrize('mode', ['ternary', 'binary', 'expanded'])
def test_roi_masking_in_standard_roi_heads(mode):
    """Mask R-CNN whose mask branch is in the image's frame; its loss falls on one image."""
    torch.manual_seed(0)
    model = mask_rcnn(mode)
    image = torch.full((3, 96, 96), 40.0)
    image[:, 24:72, 16:80] = 200.0
    sample = {'image': image, 'instances': truth_of((96, 96), [[16, 24, 80, 72]])}
    optimizer = torch.optim.Adam(model.roi_heads.parameters(), 1e-3)
    history = []
    for _ in range(12):
        with EventStorage():
            losses = model.train()([sample])
        history.append(losses['loss_mask'].item())
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert history[-1] < 0.7 * history[0]
    size = {'height': 48, 'width': 50}
    detected = [Instances((96, 96))]
    detected[0].pred_boxes = Boxes(torch.tensor([[16.0, 24.0, 80.0, 72.0]]))
    detected[0].scores, detected[0].pred_classes = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        (found,) = model.eval().inference([{'image': image, **size}], detected)
    masks = found['instances'].pred_masks
    assert masks.shape == (1, 48, 50) and masks.dtype == torch.bool
    inside = torch.zeros(48, 50, dtype=torch.bool)
    inside[12:36, 8:42] = True
    assert not masks[0][~inside].any()  # nothing outside the box


def mask_rcnn(mode):
    config = model_zoo.get_config('common/models/mask_rcnn_fpn.py').model
    config.roi_heads.num_classes = 1
    config.roi_heads.mask_in_features = ['p2', 'p3', 'p4', 'p5']
    shapes = {f'p{n}': ShapeSpec(channels=256, stride=2**n) for n in (2, 3, 4, 5)}
    config.roi_heads.mask_pooler = LazyCall(adapter.RoIMaskingPooler)(
        input_shape=shapes, mode=mode, out_channels=16
    )
    channels = adapter.RoIMaskingPooler(shapes, mode=mode, out_channels=16).net.out_channels
    config.roi_heads.mask_head = LazyCall(adapter.ImageFrameMaskHead)(
        input_shape=dict(channels=channels, stride=8), channels=(16, 16)
    )
    return instantiate(config)


def test_a_pooler_without_its_level_is_refused():
    with pytest.raises(ValueError, match=r'reads the level of stride 8.*\[4\]'):
        adapter.RoIMaskingPooler({'p2': ShapeSpec(channels=4, stride=4)})


def test_picanet_as_a_neck_of_retinanet_keeps_shapes_and_learns():
    torch.manual_seed(0)
    config = model_zoo.get_config('common/models/retinanet.py').model
    config.num_classes = 1
    contexts = {'p3': 'LAP', 'p4': 'AC', 'p6': 'GAP'}
    config.backbone = LazyCall(adapter.PiCANetNeck)(
        bottom_up=config.backbone, contexts=contexts, gap_size=2
    )
    model = instantiate(config).train()
    sample = {
        'image': torch.randint(0, 256, (3, 128, 128)).float(),
        'instances': truth_of((128, 128), [[16, 24, 80, 72]]),
    }
    with EventStorage():
        sum(model([sample]).values()).backward()
    grads = [p.grad for p in model.backbone.net.parameters()]
    assert len(grads) > 0 and all(g is not None and g.isfinite().all() for g in grads)
    with pytest.raises(ValueError, match=r"contexts for \['p9'\]"):
        adapter.PiCANetNeck(model.backbone.bottom_up, {'p9': 'LAP'})


def test_whole_networks_by_name():
    cfg = config_of()
    cfg.MODEL.META_ARCHITECTURE = 'NetworkDetector'
    cfg.SOD.NETWORK.type = 'S4Net'
    cfg.SOD.NETWORK.backbone = 'mobilenet'
    model = build_model(cfg)
    assert adapter.describe_model(model).network == 'S4Net'
