from pathlib import Path

import pytest
import torch

from sod_plugins.networks import Preprocessing, S4Net, count_parameters, load_network, save_network
from sod_plugins.networks.backbones import PRESETS

NARROW = {
    'backbone': {'type': 'MobileNet', 'width': 0.25},
    'neck': {'out_channels': 32},
    'bbox_head': {'channels': 32, 'match_best': True},
    'roi_extractor': {'out_channels': 32},
    'mask_head': {'channels': (32, 16)},
}
Target = dict[str, torch.Tensor]


def draw_scene(size: tuple[int, int] = (96, 128)) -> tuple[torch.Tensor, Target]:
    """Return an image (1, 3, *size) with two ellipses of different colours, and its target."""
    generator = torch.Generator().manual_seed(0)
    image = 0.3 * torch.rand(3, *size, generator=generator) - 1
    y, x = torch.meshgrid(*(torch.arange(n) for n in size), indexing='ij')
    masks = torch.stack(
        [
            ((y - 44) / 36) ** 2 + ((x - 34) / 28) ** 2 < 1,
            ((y - 56) / 32) ** 2 + ((x - 94) / 30) ** 2 < 1,
        ]
    )
    image[:, masks[0]] += 1.5
    image[0, masks[1]] += 2
    corners = [(k.nonzero().amin(0), k.nonzero().amax(0) + 1) for k in masks]
    boxes = torch.stack([torch.cat([a.flip(0), b.flip(0)]) for a, b in corners]).float()
    return image[None], {'boxes': boxes, 'masks': masks}


def no_objects(size: tuple[int, int] = (96, 128)) -> Target:
    return {'boxes': torch.zeros(0, 4), 'masks': torch.zeros(0, *size, dtype=torch.bool)}


def test_released_layout_has_the_published_parameters() -> None:
    with torch.device('meta'):
        network = S4Net(layout='released')
    assert count_parameters(network) == 28_264_468
    assert network.backbone.out_strides == (4, 8, 16, 32)
    assert count_parameters(network.roi_extractor) + count_parameters(network.mask_head) == 739_010


@pytest.mark.parametrize('backbone', ['resnet101', 'vgg16', 'mobilenet', 'efficientnet_lite0'])
def test_takes_the_maps_of_its_levels_from_any_backbone(backbone: str) -> None:
    with torch.device('meta'):
        network = S4Net(backbone)
        levels = network.neck(network.backbone(torch.zeros(1, 3, 64, 64)))
    assert [level.shape[1:] for level in levels] == [(256, s, s) for s in (8, 4, 2, 1)]
    assert network.arguments['backbone'] == backbone and backbone in PRESETS


def test_learns_one_scene() -> None:
    torch.manual_seed(0)
    image, target = draw_scene()
    network = S4Net(**NARROW).train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        sum(network.losses(image, [target]).values()).backward()
        optimizer.step()
    found = network.eval()(image)[0]
    assert found.scores[:2].min() > 0.8 > 0.5 > found.scores[2:].max()
    masks, truth = found.masks[:2, None], target['masks'][None]
    overlap = (masks & truth).sum((2, 3)) / (masks | truth).sum((2, 3))
    assert overlap.max(0).values.min() > 0.8


@pytest.mark.parametrize('layout', ['paper', 'released'])
@pytest.mark.parametrize('roi', ['ternary', 'align', 'pool'])
def test_losses_reach_all_parameters_and_are_finite_without_objects(layout: str, roi: str) -> None:
    torch.manual_seed(0)
    arguments = {k: v for k, v in NARROW.items() if layout == 'paper' or k != 'mask_head'}
    network = S4Net(layout=layout, roi=roi, **arguments).train()
    image, target = draw_scene()
    both = torch.cat([image, image.flip(3)])
    for targets in ([no_objects(), no_objects()], [target, no_objects()]):
        network.zero_grad()
        losses = network.losses(both, targets)
        sum(losses.values()).backward()
        for parameter in network.parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all()
        without = not any(len(t['boxes']) for t in targets)
        assert (losses['loss_mask'].item() == 0) == (losses['loss_box'].item() == 0) == without
    assert network.mask_head.predict.weight.grad.any()


def test_masks_are_trained_on_the_true_boxes_of_their_own_image() -> None:
    torch.manual_seed(0)
    network = S4Net(**NARROW).eval()
    image, target = draw_scene()
    both = torch.cat([image.flip(3), image])
    seen = []
    network.roi_extractor.register_forward_hook(lambda module, inputs, output: seen.append(inputs))
    network.losses(both, [no_objects(), target])
    features, rois = seen[0]
    assert features.shape == (2, 32, 12, 16)
    torch.testing.assert_close(rois, torch.cat([torch.ones(2, 1), target['boxes']], 1))


def test_finds_boxes_scores_and_masks_best_first() -> None:
    torch.manual_seed(0)
    network = S4Net(num_proposals=7, **NARROW).eval()
    images = torch.randn(2, 3, 100, 75)
    results = network(images)
    assert len(results) == 2
    for result in results:
        boxes, scores, masks = result.boxes, result.scores, result.masks
        assert 0 < len(boxes) <= 7 and boxes.shape == (len(scores), 4)
        assert scores.equal(scores.sort(descending=True).values)
        assert (boxes >= 0).all() and (boxes <= torch.tensor([75, 100, 75, 100])).all()
        assert masks.dtype == torch.bool and masks.shape == (len(scores), 100, 75)
    # Alone, an image gives the same.
    alone = network(images[1:])[0]
    torch.testing.assert_close(alone.boxes, results[1].boxes, rtol=0, atol=1e-3)


def test_padding_is_no_place_for_boxes_and_masks_come_at_any_size() -> None:
    torch.manual_seed(0)
    network = S4Net(**NARROW).eval()
    found = network.detect(torch.randn(1, 3, 96, 128), [(90, 100)])[0]
    assert found.boxes[:, 2].max() <= 100 and found.boxes[:, 3].max() <= 90
    small = network.masks_of(found, (90, 100))
    large = network.masks_of(found, (270, 200), (2.0, 3.0))
    assert small.shape[1:] == (90, 100) and large.shape[1:] == (270, 200)
    # The pixel in the middle of three by two has nearly the position of the small one.
    assert (large[:, 1::3, ::2] == small).float().mean() > 0.98


def test_frozen_norms_keep_their_statistics() -> None:
    network = S4Net(freeze_norm=True, **NARROW).train()
    before = {k: v.clone() for k, v in network.named_buffers()}
    image, target = draw_scene()
    network.losses(image, [target])
    assert all(torch.equal(v, before[k]) for k, v in network.named_buffers())


def test_returns_from_a_file_and_gives_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = S4Net(roi='binary', alpha=0.5, num_proposals=3, **NARROW).eval()
    path = tmp_path / 'net.pth'
    save_network(path, network, Preprocessing((96, 128)))
    loaded = load_network(path)
    assert isinstance(loaded, S4Net) and loaded.preprocessing.size == (96, 128)
    image, _ = draw_scene()
    for name, value in network(image)[0]._asdict().items():
        assert torch.equal(getattr(loaded(image)[0], name), value)


TRAINING_CONFIG = """
image_size = (128, 96)
model = dict(
    type='sod_plugins.S4Net',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[1, 2, 3], std=[4, 5, 6]),
    backbone=dict(type='sod_plugins.MobileNet', width=0.25, out_indices=(2, 3, 4), norm_eval=True),
    neck=dict(type='sod_plugins.S4NetFPN', in_channels=[64, 128, 256], out_channels=32),
    bbox_head=dict(type='sod_plugins.S4NetHead', in_channels=32, channels=32, num_proposals=4),
    roi_extractor=dict(type='sod_plugins.RoIMasking', in_channels=32, out_channels=32, alpha=0.5,
        mode='binary'),
    mask_head=dict(type='sod_plugins.S4NetMaskHead', in_channels=32, channels=(32, 16)))
test_dataloader = dict(dataset=dict(pipeline=[
    dict(type='LoadImageFromFile'), dict(type='Resize', scale=(128, 96), keep_ratio=False)]))
"""


def test_training_checkpoints_are_read_without_a_host(tmp_path: Path) -> None:
    network = S4Net(
        NARROW['backbone'],
        roi='binary',
        alpha=0.5,
        num_proposals=4,
        neck={'out_channels': 32},
        bbox_head={'channels': 32},
        roi_extractor={'out_channels': 32},
        mask_head={'channels': (32, 16)},
    ).eval()
    state = {k.replace('.', '.net.', 1): v for k, v in network.state_dict().items()}
    path = tmp_path / 'iter_4.pth'
    torch.save({'meta': {'cfg': TRAINING_CONFIG}, 'state_dict': state}, path)
    loaded = load_network(path)
    assert loaded.preprocessing == Preprocessing((96, 128), (1, 2, 3), (4, 5, 6))
    image, _ = draw_scene()
    for name, value in network(image)[0]._asdict().items():
        assert torch.equal(getattr(loaded(image)[0], name), value)
    other = TRAINING_CONFIG.replace('sod_plugins.S4NetMaskHead', 'FCNMaskHead')
    torch.save({'meta': {'cfg': other}, 'state_dict': state}, path)
    with pytest.raises(ValueError, match=r'mask_head FCNMaskHead is not of this package'):
        load_network(path)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'layout': 'other'}, 'layout must be one of'),
        ({'roi': 'other'}, 'roi must be one of'),
        ({'backbone': {'type': 'MobileNet', 'out_indices': (3, 4)}}, 'needs maps of the strides'),
        ({'neck': {'colour': 'red'}}, 'A part of S4Net cannot be built'),
        ({'neck': {'num_outs': 5}}, r'neck\.num_outs must be the number of bbox_head\.strides'),
        ({'roi_extractor': {'stride': 4}}, r'roi_extractor\.stride'),
        ({'alpha': -0.1}, 'alpha must be at least 0'),
        ({'roi_extractor': {'negative_slicing': True}}, 'set quantized too'),
        ({'num_proposals': 0}, 'num_proposals must be at least 1'),
    ],
)
def test_refuses_what_is_no_network(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        S4Net(**{'backbone': 'mobilenet', **arguments})


def test_refuses_targets_that_do_not_fit() -> None:
    network = S4Net(**NARROW)
    image, target = draw_scene()
    with pytest.raises(ValueError, match='1 images need as many targets, got 2'):
        network.losses(image, [target, target])
    for wrong in ({'boxes': target['boxes'][:1]}, {'masks': target['masks'][:, :50]}):
        with pytest.raises(ValueError, match='Image 0 needs boxes'):
            network.losses(image, [{**target, **wrong}])
