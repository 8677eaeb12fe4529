from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics
from torch import nn

from sod_plugins.data import DataError
from sod_plugins.inference import (
    InstancePredictor,
    SaliencyPredictor,
    save_cutout,
    save_map,
    save_overlay,
)
from sod_plugins.networks import (
    ITDBU,
    CSNet,
    PiCANet,
    Preprocessing,
    S4Net,
    SAMNet,
    preprocessing,
    saliency_map,
    save_network,
)

PREPROCESSING = Preprocessing(size=(6, 9), mean=(10.0, 20.0, 30.0), std=(40.0, 50.0, 60.0))


class Weighted(nn.Module):
    """Logits are a weighted sum of the channels."""

    def __init__(self, weights=(1.0, -2.0, 0.5)):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))
        self.preprocessing = PREPROCESSING

    def forward(self, images):
        assert not self.training
        return (images * self.weights[:, None, None]).sum(1, keepdim=True)


def resize(array, height, width):
    """Bilinear with half-pixel centres and clamped borders, in float64, along both axes."""

    def matrix(new, old):
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        weights = np.zeros((new, old))
        weights[np.arange(new), low] += 1 - (at - low)
        weights[np.arange(new), high] += at - low
        return weights

    rows, columns = matrix(height, array.shape[0]), matrix(width, array.shape[1])
    return np.einsum('ij,jk...,lk->il...', rows, array, columns)


def oracle(image, weights):
    small = resize(image.astype(np.float64), 6, 9)
    logits = (small - PREPROCESSING.mean) / PREPROCESSING.std @ np.array(weights)
    return resize(1 / (1 + np.exp(-logits)), *image.shape[:2])


@pytest.mark.parametrize('shape', [(17, 31), (3, 4), (6, 9), (1, 1)])
def test_map_equals_an_independent_computation(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), dtype=np.uint8)
    saliency = SaliencyPredictor(Weighted().train(), device='cpu').predict(image)
    assert saliency.dtype == np.float32
    assert saliency.shape == shape
    # float32 against float64: a few rounding errors of 6e-8 on values up to 1.
    np.testing.assert_allclose(saliency, oracle(image, (1.0, -2.0, 0.5)), atol=2e-6)


def test_sigmoid_comes_before_the_resize():
    """A step edge from -30 to 30: resized logits would pass 0.5 much more steeply."""
    image = np.zeros((6, 36, 3), dtype=np.uint8)
    image[:, 18:] = 255
    saliency = SaliencyPredictor(Weighted((9.0, 0.0, 0.0)), device='cpu').predict(image)
    np.testing.assert_allclose(saliency, oracle(image, (9.0, 0.0, 0.0)), atol=2e-6)
    assert np.count_nonzero((saliency[0] > 0.1) & (saliency[0] < 0.9)) >= 4


def test_file_is_turned_upright(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    Image.fromarray(pixels).save(tmp_path / 'turned.png', exif=exif)
    predictor = SaliencyPredictor(Weighted(), device='cpu')
    upright = np.rot90(pixels, -1)
    np.testing.assert_array_equal(
        predictor.predict(tmp_path / 'turned.png'), predictor.predict(np.ascontiguousarray(upright))
    )


def test_checkpoint_brings_its_preprocessing(tmp_path):
    torch.manual_seed(0)
    network = CSNet(width=1.0)
    settle_statistics(network, torch.randn(4, 3, 64, 64))
    preprocessing = replace(PREPROCESSING, size=(32, 48))
    save_network(tmp_path / 'net.pth', network, preprocessing)
    predictor = SaliencyPredictor(tmp_path / 'net.pth', device='cpu')
    assert predictor.preprocessing == preprocessing
    network.preprocessing = preprocessing
    image = np.random.default_rng(3).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    expected = SaliencyPredictor(network, device='cpu').predict(image)
    np.testing.assert_array_equal(predictor.predict(image), expected)


@pytest.mark.parametrize(
    'image', [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 4), np.uint8), np.zeros((4, 5, 3))]
)
def test_other_arrays_are_refused(image):
    with pytest.raises(ValueError, match=r'Pass RGB as uint8 \(H, W, 3\)'):
        SaliencyPredictor(Weighted(), device='cpu').predict(image)


def test_bad_arguments_are_refused(tmp_path):
    with pytest.raises(ValueError, match='Conv2d does not say which input'):
        SaliencyPredictor(nn.Conv2d(3, 1, 1))
    with pytest.raises(ValueError, match="Cannot compute on device 'nowhere'"):
        SaliencyPredictor(Weighted(), device='nowhere')
    with pytest.raises(FileNotFoundError, match=r'none\.pth'):
        SaliencyPredictor(tmp_path / 'none.pth')
    (tmp_path / 'text.jpg').write_text('no image')
    with pytest.raises(DataError, match=r'text\.jpg'):
        SaliencyPredictor(Weighted(), device='cpu').predict(tmp_path / 'text.jpg')


def test_nan_is_refused():
    predictor = SaliencyPredictor(Weighted((float('nan'), 0.0, 0.0)), device='cpu')
    with pytest.raises(ValueError, match='gives NaN'):
        predictor.predict(np.zeros((4, 5, 3), np.uint8))


# --- lists, pictures, types ---


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize('batch_size', [1, 2, 8])
def test_a_list_gives_a_list_in_order(batch_size):
    sizes = []

    class Counting(Weighted):
        def forward(self, images):
            sizes.append(len(images))
            return super().forward(images)

    images = [noise(h, w, 3) for h, w in ((17, 31), (3, 4), (6, 9), (40, 20), (1, 1))]
    predictor = SaliencyPredictor(Counting(), device='cpu', batch_size=batch_size)
    maps = predictor.predict(images)
    assert sizes == {1: [1] * 5, 2: [2, 2, 1], 8: [5]}[batch_size]
    for image, saliency in zip(images, maps, strict=True):
        np.testing.assert_allclose(saliency, oracle(image, (1.0, -2.0, 0.5)), atol=2e-6)
    assert predictor.predict([]) == []
    (single,) = predictor.predict((images[0],))
    np.testing.assert_array_equal(single, maps[0])


def test_batches_of_no_images_are_refused():
    with pytest.raises(ValueError, match='batch_size is 0'):
        SaliencyPredictor(Weighted(), device='cpu', batch_size=0)


@pytest.mark.parametrize('product', ['map', 'cutout', 'overlay'])
def test_encoded_outputs_are_those_of_the_files(tmp_path, product):
    images = [noise(7, 9, 3), noise(4, 5, 3)]
    predictor = SaliencyPredictor(Weighted(), device='cpu')
    encoded = predictor.predict_png(images, product)
    for image, content in zip(images, encoded, strict=True):
        saliency = predictor.predict(image)
        save = {'map': save_map, 'cutout': save_cutout, 'overlay': save_overlay}[product]
        arguments = (saliency,) if product == 'map' else (image, saliency)
        save(tmp_path / 'a.png', *arguments)
        assert content == (tmp_path / 'a.png').read_bytes()
    assert predictor.predict_png(images[0], product) == encoded[0]


def test_other_products_are_refused():
    with pytest.raises(ValueError, match=r"product must be one of 'map', .* got 'cut-out'"):
        SaliencyPredictor(Weighted(), device='cpu').predict_png(noise(2, 2, 3), 'cut-out')


NETWORKS = {
    'CSNet': CSNet,
    'SAMNet': SAMNet,
    'ITDBU': ITDBU,
    'PiCANet': lambda: PiCANet(
        '4GAP_3AC',
        {'type': 'MobileNet', 'width': 0.25},
        channels=(4, 4, 6, 6, 8),
        gap_kernel_size=4,
        renet_channels=4,
        attention_channels=4,
        init_std=None,
    ),
}


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize('name', NETWORKS)
def test_networks_of_other_types(name, dtype):
    """The network computes in its type, on input of that type, and the map is float32."""
    torch.manual_seed(0)
    network = NETWORKS[name]()
    size = (64, 64)
    if name != 'SAMNet':  # whose untrained activations then pass what 16 bits can hold
        settle_statistics(network, torch.randn(2, 3, *size))
    network.preprocessing = Preprocessing(size=size)
    image = noise(50, 70, 3)
    network = network.to(dtype).eval()
    with torch.inference_mode():
        logits = network(network.preprocessing.apply(image).to(dtype))
        assert logits.isfinite().all()
        expected = saliency_map(logits.float(), (50, 70))[0, 0].numpy()
    saliency = SaliencyPredictor(network, device='cpu').predict(image)
    assert saliency.dtype == np.float32
    np.testing.assert_array_equal(saliency, expected)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_instances_of_networks_of_other_types(dtype):
    torch.manual_seed(0)
    network = S4Net({'type': 'MobileNet', 'width': 0.25})
    network.preprocessing = Preprocessing(size=(64, 64))
    image = noise(50, 70, 3)
    expected = InstancePredictor(network, device='cpu').predict(image)
    found = InstancePredictor(network.to(dtype), device='cpu').predict(image)
    assert len(expected.scores) > 0
    assert found.scores.dtype == np.float32
    # Untrained scores are alike; in eight bits of mantissa they keep two digits.
    np.testing.assert_allclose(np.sort(found.scores)[-3:], np.sort(expected.scores)[-3:], atol=1e-2)


def test_prediction_leaves_the_process_as_it_was():
    """No mode, flag or limit of torch or Pillow is changed, so that a server may hold others."""
    before = (torch.is_grad_enabled(), torch.get_default_dtype(), Image.MAX_IMAGE_PIXELS)
    torch.set_flush_denormal(False)  # another library may have set it
    tiny = torch.tensor(1e-30) * 1e-10
    predictor = SaliencyPredictor(Weighted(), device='cpu')
    predictor.predict([noise(4, 4, 3)] * 2)
    assert torch.tensor(1e-30) * 1e-10 == tiny != 0  # denormals are not flushed
    assert before == (torch.is_grad_enabled(), torch.get_default_dtype(), Image.MAX_IMAGE_PIXELS)


def test_a_large_image_is_resized_by_the_same_rule(monkeypatch):
    image = noise(90, 70, 3)
    expected = PREPROCESSING.apply(image)
    monkeypatch.setattr(preprocessing, '_LARGE', 1000)
    torch.testing.assert_close(PREPROCESSING.apply(image), expected, atol=1e-6, rtol=0)
    saliency = torch.rand(90, 70)
    np.testing.assert_array_equal(
        preprocessing.to_uint8(saliency), (saliency * 255).to(torch.uint8)
    )
