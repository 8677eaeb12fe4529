from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from shared_data import shared_file

from sod_plugins.data import read_image, read_reduced
from sod_plugins.inference import SaliencyPredictor, preparing
from sod_plugins.inference.image_work import ImageWork
from sod_plugins.inference.preparing import prepare
from sod_plugins.inference.runners import open_runner
from sod_plugins.networks import Preprocessing

SIZES = [(1, 1), (7, 300), (24, 32), (61, 45), (200, 333)]


def photo(height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(1, height // 6), max(1, width // 6), 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('size', SIZES)
def test_inputs_are_those_of_torch(size, antialias):
    wanted = Preprocessing(size=(24, 32), antialias=antialias)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = wanted.apply(image)[0].numpy()
    np.testing.assert_allclose(prepare(image, wanted), expected, atol=1e-4)
    flipped = image[::-1, ::-1]
    expected = wanted.apply(flipped)[0].numpy()
    np.testing.assert_allclose(prepare(flipped, wanted), expected, atol=1e-4)


@pytest.mark.parametrize('antialias', [False, True])
def test_a_single_pixel_fills_the_input(antialias):
    mean, std = (10.0, 20.0, 30.0), (2.0, 4.0, 8.0)
    wanted = Preprocessing(size=(24, 32), antialias=antialias, mean=mean, std=std)
    image = np.array([[[12, 40, 190]]], np.uint8)
    expected = np.broadcast_to(np.reshape([1.0, 5.0, 20.0], (3, 1, 1)), (3, 24, 32))
    np.testing.assert_array_equal(prepare(image, wanted), expected)
    # torch weighs its neighbours, whose weights sum to one but for rounding
    np.testing.assert_allclose(wanted.apply(image)[0].numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('large', [100, 1 << 20])  # which is resized at once, or by channels
def test_negative_strides_give_what_a_copy_gives(monkeypatch, antialias, large):
    monkeypatch.setattr(preparing, 'LARGE', large)
    wanted = Preprocessing(size=(24, 32), antialias=antialias)
    image = photo(61, 45)
    for view in (image[::-1], image[:, ::-1], image[..., ::-1], image[::-2, ::-3, ::-1]):
        assert min(view.strides) < 0
        copy = view.copy(order='C')
        np.testing.assert_array_equal(prepare(view, wanted), prepare(copy, wanted))
        torch.testing.assert_close(wanted.apply(view), wanted.apply(copy), rtol=0, atol=0)
        assert np.abs(prepare(view, wanted) - prepare(image, wanted)).max() > 0.1


def test_large_images_are_rounded_to_a_level(monkeypatch):
    monkeypatch.setattr(preparing, 'LARGE', 1000)
    wanted = Preprocessing(size=(24, 32), antialias=True)
    image = photo(200, 333)
    difference = prepare(image, wanted) - wanted.apply(image)[0].numpy()
    levels = np.abs(difference) * np.array(wanted.std)[:, None, None]
    assert 0.01 < levels.max() < 1.01  # each of two passes rounds, by half a level


def jpeg(pixels, orientation=1):
    stream, tags = io.BytesIO(), Image.Exif()
    tags[0x0112] = orientation
    Image.fromarray(pixels).save(stream, 'JPEG', quality=95, exif=tags)
    return stream.getvalue()


@pytest.mark.parametrize('orientation', [1, 3, 6, 8])
@pytest.mark.parametrize('exif', ['apply', 'ignore'])
def test_reduced_photos_are_small_and_alike(orientation, exif):
    content = jpeg(photo(600, 900), orientation)
    whole = read_image(content, exif)
    small, size = read_reduced(content, (70, 100), exif)
    assert size == whole.shape[:2]
    assert min(small.shape[:2]) >= 100 and max(small.shape[:2]) < 300
    again = Image.fromarray(whole).resize((small.shape[1], small.shape[0]), Image.Resampling.BOX)
    assert np.abs(np.asarray(again).astype(int) - small).mean() < 3


def test_other_formats_and_small_photos_are_read_in_full():
    pixels = photo(200, 150)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, 'PNG')
    np.testing.assert_array_equal(read_reduced(stream.getvalue(), (20, 20))[0], pixels)
    small, size = read_reduced(jpeg(pixels), (140, 140))
    assert small.shape == (200, 150, 3) and size == (200, 150)


def test_a_predictor_takes_large_photos_as_it_takes_small_ones(monkeypatch):
    class Red(torch.nn.Module):
        preprocessing = Preprocessing(size=(24, 32), antialias=True)

        def forward(self, images):
            return images[:, :1]

    image = photo(200, 333)
    predictor = SaliencyPredictor(Red(), device='cpu')
    expected = predictor.predict(image)
    monkeypatch.setattr('sod_plugins.inference.predictor.LARGE', 1000)
    monkeypatch.setattr(preparing, 'LARGE', 1000)
    np.testing.assert_allclose(predictor.predict(image), expected, atol=0.01)


@pytest.mark.shared_data
def test_maps_of_reduced_photos_differ_little():
    """By .01 in the mean at most, on real photos of a megapixel and more, enlarged to 12."""
    pytest.importorskip('onnxruntime')
    folder = shared_file('data/coco_mix/images')
    runner = open_runner(None, device='cpu')
    differences = []
    for path in sorted(folder.glob('*.jpg'))[::125]:
        with Image.open(path) as image:
            large = image.convert('RGB').resize((4000, 3000), Image.Resampling.BICUBIC)
        work = ImageWork(runner, ['map'])
        reduced = work.decode(jpeg(np.asarray(large)))
        assert reduced.size == (3000, 4000)
        whole = runner.prepare(read_image(jpeg(np.asarray(large))))
        maps = runner.small_maps([reduced.prepared, whole])
        differences.append(np.abs(maps[0] - maps[1]).mean())
    assert np.mean(differences) < 0.01
