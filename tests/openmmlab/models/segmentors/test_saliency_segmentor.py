from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper
from mmengine.registry import MODELS
from mmseg.structures import SegDataSample
from PIL import Image

from sod_plugins.networks import CSNet, DenseCRF, saliency_map


@pytest.fixture
def pair(model_config, settled):
    """The plain network and the segmentor with the same weights."""
    torch.manual_seed(0)
    plain = settled(CSNet())
    segmentor = MODELS.build(model_config).eval()
    segmentor.load_state_dict(plain.state_dict())
    return plain, segmentor


@pytest.mark.parametrize('kind', ['sod_plugins.SaliencySegmentor', 'mmseg.EncoderDecoder'])
@pytest.mark.parametrize('size', [(64, 64), (37, 51)])
@torch.no_grad()
def test_logits_are_those_of_the_plain_network(kind, size, model_config, settled):
    torch.manual_seed(0)
    plain = settled(CSNet())
    model_config.type = kind
    model = MODELS.build(model_config).eval()
    model.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, *size)
    expected = plain(images)
    logits = model.encode_decode(images, [{'img_shape': size}] * 2)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)
    raw = F.interpolate(model(images, mode='tensor'), size, mode='bilinear')
    torch.testing.assert_close(raw, expected, rtol=0, atol=1e-6)


@torch.no_grad()
def test_saliency_is_the_sigmoid_resized_to_each_original_size(pair):
    plain, segmentor = pair
    images = torch.randn(2, 3, 48, 64)
    sizes = [(101, 77), (30, 200)]
    samples = [SegDataSample(metainfo={'ori_shape': size, 'img_shape': (48, 64)}) for size in sizes]
    results = segmentor(images, samples, mode='predict')
    saliency = plain(images).sigmoid()
    for one, size, result in zip(saliency.split(1), sizes, results, strict=True):
        expected = F.interpolate(one, size, mode='bilinear')[0]
        assert result.seg_logits.data.shape == (1, *size)
        torch.testing.assert_close(result.seg_logits.data, expected, rtol=0, atol=1e-6)
        assert result.pred_sem_seg.data.dtype == torch.uint8
        assert torch.equal(result.pred_sem_seg.data.bool(), result.seg_logits.data > 0.5)
        assert 0 < result.pred_sem_seg.data.sum() < expected.numel()


@torch.no_grad()
def test_without_data_samples_the_map_has_the_input_s_size(pair):
    plain, segmentor = pair
    images = torch.randn(1, 3, 33, 40)
    [result] = segmentor(images, mode='predict')
    expected = plain(images).sigmoid()[0]
    torch.testing.assert_close(result.seg_logits.data, expected, rtol=0, atol=1e-6)


def test_padding_of_the_preprocessor_is_cut_off(pair):
    _, segmentor = pair
    logits = torch.randn(1, 1, 20, 30)
    padded = F.pad(logits, (1, 2, 3, 4), value=9.0)
    sample = SegDataSample(
        metainfo={'ori_shape': (40, 45), 'img_padding_size': (1, 2, 3, 4)},
    )
    [result] = segmentor.postprocess_result(padded, [sample])
    expected = F.interpolate(logits.sigmoid(), (40, 45), mode='bilinear')[0]
    torch.testing.assert_close(result.seg_logits.data, expected, rtol=0, atol=1e-6)


def test_maps_are_refined_by_the_photo(pair, tmp_path):
    pytest.importorskip('pydensecrf')
    plain, segmentor = pair
    pixels = np.random.default_rng(0).integers(0, 256, (40, 45, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'photo.png')
    images = torch.randn(1, 3, 32, 32)
    expected = saliency_map(plain(images), (40, 45))[0, 0].detach().numpy()
    expected = DenseCRF(theta_beta=20.0).refine(pixels, expected)
    segmentor.test_cfg.crf = {'theta_beta': 20.0}
    meta = {'ori_shape': (40, 45), 'img_shape': (32, 32), 'img_path': tmp_path / 'photo.png'}
    with torch.no_grad():
        [result] = segmentor(images, [SegDataSample(metainfo=meta)], mode='predict')
    saliency = result.seg_logits.data
    np.testing.assert_allclose(saliency[0].numpy(), expected, rtol=0, atol=1e-4)
    assert torch.equal(result.pred_sem_seg.data.bool(), saliency > 0.5)
    with pytest.raises(ValueError, match="keep 'img_path'"):
        segmentor(images, mode='predict')


def test_half_precision_logits_give_saliency_in_single(pair):
    _, segmentor = pair
    logits = torch.randn(1, 1, 16, 16).bfloat16()
    [result] = segmentor.postprocess_result(logits)
    torch.testing.assert_close(
        result.seg_logits.data, logits.float().sigmoid()[0], rtol=0, atol=1e-6
    )


@pytest.fixture
def scene(labelled):
    """A noisy disk with a soft edge and its mirror image, as a data loader hands them over."""
    rows, columns = torch.meshgrid(torch.arange(40.0), torch.arange(48.0), indexing='ij')
    disk = (13 - ((rows - 18) ** 2 + (columns - 26) ** 2).sqrt()).clamp(0, 1)
    torch.manual_seed(0)
    image = 60 + 140 * disk + 20 * torch.rand(3, 40, 48)
    return {
        'inputs': [image, image.flip(-1)],
        'data_samples': [labelled(disk), labelled(disk.flip(-1))],
    }


def test_every_parameter_receives_a_gradient(model_config, scene):
    model = MODELS.build(model_config).train()
    batch = model.data_preprocessor(scene, training=True)
    model(**batch, mode='loss')['decode.loss_bce'].backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    assert [name for name, g in gradients.items() if g is None or not g.any()] == []
    assert all(g.isfinite().all() for g in gradients.values())


def test_the_loss_of_one_scene_falls(model_config, scene):
    model = MODELS.build(model_config).train()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=2e-3))
    losses = [model.train_step(scene, optimizer)['decode.loss_bce'].item() for _ in range(40)]
    assert losses[-1] < 0.3 * losses[0], losses
