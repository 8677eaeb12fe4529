from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from PIL import Image

from sod_plugins.cli import main as sod
from sod_plugins.inference import SaliencyPredictor
from sod_plugins.networks import SideOutput, load_network
from sod_plugins.openmmlab import launch

# Three levels at strides 1, 2 and 4, narrow.
BACKBONE = dict(type='sod_plugins.VGG', depth=11, width=0.125, out_indices=(0, 1, 2))
HEAD = dict(
    type='sod_plugins.ITDBUHead', in_channels=(8, 16, 32), unify_channels=8, hidden_channels=4
)
SIZES = {1: 16, 2: 8, 3: 4}


def build(**arguments):
    torch.manual_seed(0)
    return MODELS.build({**HEAD, **arguments})


@pytest.fixture
def segmentor_config(model_config):
    model_config.backbone, model_config.decode_head = ConfigDict(BACKBONE), ConfigDict(HEAD)
    return model_config


def side_outputs(levels=3, iterations=2, steps=2, batch=2):
    """Random logits, in the numbers and sizes of Tab. 3: a list by the paper's order of passes."""
    places = [(levels, 'top_down', 1)]
    for n in range(1, iterations + 1):
        places += [(level, 'top_down', n) for level in range(levels - 1, 0, -1)]
        if n < iterations:
            places += [(level, 'bottom_up', n) for level in range(2, levels + 1)]
    return [
        SideOutput(level, direction, n, t, torch.randn(batch, 1, SIZES[level], SIZES[level]))
        for level, direction, n in places
        for t in range(1, steps + 1)
    ]


def logits_of(outputs):
    return [output.logits for output in outputs]


def cross_entropy(output, masks):
    """The mean over a level's pixels, each compared with the mean of its block of the mask."""
    side = SIZES[output.level]
    block = masks.shape[-1] // side
    target = masks.double().unfold(-2, block, block).unfold(-2, block, block).mean((-2, -1))
    saliency = output.logits.double().sigmoid()[:, 0]
    return -(target * saliency.log() + (1 - target) * (1 - saliency).log()).mean()


def test_losses_are_the_sums_of_all_side_outputs(labelled):
    outputs, masks = side_outputs(), torch.rand(2, 32, 32)
    samples = [labelled(mask) for mask in masks]
    losses = build(iterations=2).loss_by_feat(logits_of(outputs), samples)
    assert set(losses) == {'loss_top_down', 'loss_bottom_up', 'bce_last'}
    for direction, count in (('top_down', 10), ('bottom_up', 4)):
        terms = [cross_entropy(o, masks) for o in outputs if o.direction == direction]
        assert len(terms) == count
        # float32 sums over up to 512 pixels, ten times
        torch.testing.assert_close(
            losses[f'loss_{direction}'].double(), sum(terms), rtol=1e-5, atol=0
        )
    expected = cross_entropy(outputs[-1], masks)
    torch.testing.assert_close(losses['bce_last'].double(), expected, rtol=1e-5, atol=0)


def test_one_iteration_has_no_bottom_up_loss(labelled):
    losses = build(iterations=1).loss_by_feat(
        logits_of(side_outputs(iterations=1)), [labelled(torch.rand(16, 16))] * 2
    )
    assert set(losses) == {'loss_top_down', 'bce_last'}


def test_deeper_supervision_can_be_left_out():
    """Then only the last of T steps has a side output."""
    maps = [torch.randn(1, c, s, s) for c, s in zip((8, 16, 32), (16, 8, 4), strict=True)]
    every = build(steps=3).train()(maps)
    last = build(steps=3, last_step_only=True).train()(maps)
    assert len(every) == 3 * len(last) == 3 * 11
    for output, expected in zip(last, every[2::3], strict=True):
        torch.testing.assert_close(output, expected, rtol=0, atol=1e-6)


def test_padding_of_the_mask_does_not_count(labelled):
    outputs, mask = side_outputs(batch=1, iterations=3), torch.rand(12, 8)
    padded = F.pad(mask, (0, 8, 0, 4), value=255)
    losses = build().loss_by_feat(logits_of(outputs), [labelled(padded)])

    def cropped(output):
        rows, columns = (size * SIZES[output.level] // 16 for size in mask.shape)
        return output.logits[..., :rows, :columns], F.adaptive_avg_pool2d(
            mask[None, None], (rows, columns)
        )

    expected = sum(
        F.binary_cross_entropy_with_logits(*cropped(output))
        for output in outputs
        if output.direction == 'top_down'
    )
    torch.testing.assert_close(losses['loss_top_down'], expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize('value', [0, 255])
def test_masks_without_an_object_or_all_padding_give_finite_gradients(value, labelled):
    head = build().train()
    maps = [torch.randn(1, c, s, s) for c, s in zip((8, 16, 32), (16, 8, 4), strict=True)]
    losses = head.loss_by_feat(head(maps), [labelled(torch.full((16, 16), float(value)))])
    total = losses['loss_top_down'] + losses['loss_bottom_up']
    total.backward()
    # 22 maps, each near ln 2 at first; nothing to compare leaves nothing.
    assert total.item() == pytest.approx(22 * math.log(2) if value == 0 else 0, rel=0.5)
    assert all(p.grad.isfinite().all() for p in head.parameters())


@pytest.mark.parametrize('training', [True, False])
@torch.no_grad()
def test_the_prediction_is_the_last_map_at_the_size_of_the_input(training):
    head = build().train(training)
    maps = [torch.randn(1, c, s, s) for c, s in zip((8, 16, 32), (16, 8, 4), strict=True)]
    expected = F.interpolate(head.net.side_outputs(maps)[-1].logits, (33, 47), mode='bilinear')
    logits = head.predict(maps, [{'img_shape': (33, 47)}], {})
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


def test_nothing_is_left_over_from_the_host():
    assert {name.split('.')[0] for name, _ in build().named_parameters()} == {'net'}


@pytest.fixture
def scene(labelled):
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing='ij')
    disk = (9 - ((rows - 14) ** 2 + (columns - 18) ** 2).sqrt()).clamp(0, 1)
    torch.manual_seed(0)
    image = 60 + 140 * disk + 20 * torch.rand(3, 32, 32)
    return {
        'inputs': [image, image.flip(-1)],
        'data_samples': [labelled(disk), labelled(disk.flip(-1))],
    }


def test_every_parameter_of_the_head_receives_a_gradient(segmentor_config, scene):
    model = MODELS.build(segmentor_config).train()
    losses = model(**model.data_preprocessor(scene, training=True), mode='loss')
    model.parse_losses(losses)[0].backward()
    gradients = {name: p.grad for name, p in model.decode_head.named_parameters()}
    assert [name for name, g in gradients.items() if g is None or not g.any()] == []
    assert all(g.isfinite().all() for g in gradients.values())


def test_the_loss_of_one_scene_falls(segmentor_config, scene):
    torch.manual_seed(0)
    model = MODELS.build(segmentor_config).train()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=5e-3))
    logs = [model.train_step(scene, optimizer) for _ in range(60)]
    first, last = logs[0], logs[-1]
    # 7 top-down and 4 bottom-up layers of two steps, all at chance in the beginning
    assert first['loss'].item() == pytest.approx(22 * math.log(2), rel=0.1)
    assert last['loss'] < 0.5 * first['loss']
    assert last['decode.bce_last'] < 0.3 * first['decode.bce_last']


def test_checkpoints_of_a_training_serve_without_the_host(
    segmentor_config, toy_config, photos, tmp_path
):
    config = toy_config()
    config.merge_from_dict({'model': segmentor_config.to_dict()})
    config.train_cfg.max_iters = 1
    config.default_hooks.checkpoint.interval = 1
    config = Config({**config.to_dict(), 'model': segmentor_config, 'default_scope': 'mmseg'})
    config.dump(tmp_path / 'itdbu.py')
    runner = launch.train(tmp_path / 'itdbu.py', work_dir=tmp_path)
    checkpoint = tmp_path / 'iter_1.pth'

    network = load_network(checkpoint)
    assert (network.arguments['iterations'], network.arguments['hidden_channels']) == (3, 4)
    images = torch.randn(2, 3, 37, 50)
    with torch.no_grad():
        expected = runner.model.eval().encode_decode(images, [{'img_shape': (37, 50)}] * 2)
        torch.testing.assert_close(network(images), expected, rtol=0, atol=1e-6)

    words = ['-o', tmp_path / 'maps', '--checkpoint', checkpoint, '--device', 'cpu']
    assert sod(['predict', *map(str, [photos / 'images' / '00.png', *words])]) == 0
    saliency = SaliencyPredictor(checkpoint, 'cpu').predict(photos / 'images' / '00.png')
    with Image.open(tmp_path / 'maps' / '00.png') as saved:
        assert saved.size == saliency.shape[::-1]
