"""Every predictor takes a photo however it is held."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reference_values import settle_statistics

from sod_plugins.inference import InstancePredictor, SaliencyPredictor, view_attention
from sod_plugins.inference.inputs import as_decoded_image, check_image
from sod_plugins.networks import CSNet, PiCANet, Preprocessing, S4Net

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


@pytest.fixture
def held(tmp_path) -> dict[str, object]:
    """The same photo in every form."""
    path = tmp_path / 'photo.png'
    Image.fromarray(PIXELS).save(path)
    bgr = np.ascontiguousarray(PIXELS[..., ::-1])
    return {
        'text': str(path),
        'path': path,
        'bytes': path.read_bytes(),
        'file': io.BytesIO(path.read_bytes()),
        'Pillow': Image.open(path),
        'array': PIXELS,
        'reversed channels': bgr[..., ::-1],
        'flipped twice': np.ascontiguousarray(np.fliplr(PIXELS))[:, ::-1],
        'turned back': np.rot90(np.ascontiguousarray(np.rot90(PIXELS)), -1),
        'Fortran order': np.asfortranarray(PIXELS),
        'every second': np.repeat(PIXELS, 2, axis=0)[::2],
        'read-only': np.frombuffer(PIXELS.tobytes(), np.uint8).reshape(PIXELS.shape),
        'tensor': torch.from_numpy(PIXELS).permute(2, 0, 1),
        'contiguous tensor': torch.from_numpy(PIXELS).permute(2, 0, 1).contiguous(),
    }


def test_every_form_is_the_same_photo(held):
    assert len(held) == 14
    for name, image in held.items():
        np.testing.assert_array_equal(check_image(image), PIXELS, err_msg=name)


def test_saliency_is_the_same_of_every_form(held):
    torch.manual_seed(0)
    network = CSNet(width=1.0)
    settle_statistics(network, torch.randn(2, 3, 32, 48))
    network.preprocessing = Preprocessing(size=(32, 48))
    predictor = SaliencyPredictor(network, 'cpu')
    expected = predictor.predict(PIXELS)
    held['file'] = io.BytesIO(held['bytes'])
    for name, image in held.items():
        np.testing.assert_array_equal(predictor.predict(image), expected, err_msg=name)


def test_instances_and_attention_take_every_form_too(held):
    torch.manual_seed(0)
    network = S4Net('resnet50')
    network.preprocessing = Preprocessing(size=(64, 64))
    instances = InstancePredictor(network, 'cpu')
    picanet = PiCANet()
    picanet.preprocessing = Preprocessing(size=(224, 224))
    forms = ('bytes', 'Pillow', 'reversed channels', 'tensor')
    expected = instances.predict(PIXELS), view_attention(picanet, PIXELS, [(3, 4)], 'cpu')[0]
    for name in forms:
        np.testing.assert_array_equal(instances.predict(held[name]).boxes, expected[0].boxes)
    saliency, _ = view_attention(picanet, held['reversed channels'], [(3, 4)], 'cpu')
    np.testing.assert_array_equal(saliency, expected[1])


def test_files_and_images_of_pillow_are_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / 'a.png', exif=exif)
    upright = np.rot90(PIXELS, -1)
    with Image.open(tmp_path / 'a.png') as image:
        np.testing.assert_array_equal(check_image(image), upright)
    np.testing.assert_array_equal(check_image((tmp_path / 'a.png').read_bytes()), upright)


@pytest.mark.parametrize(
    'image',
    [
        torch.zeros(3, 4, 5),
        torch.zeros(4, 5, 3, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 5, dtype=torch.uint8),
        torch.zeros(3, 0, 5, dtype=torch.uint8),
    ],
)
def test_other_tensors_are_refused(image):
    with pytest.raises(ValueError, match=r'Pass RGB as uint8 \(3, H, W\)'):
        check_image(image)


def test_a_file_brings_what_its_pictures_keep(tmp_path):
    path = Path(tmp_path, 'a.png')
    rgba = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 9, np.uint8)])
    Image.fromarray(rgba).save(path, dpi=(300, 300))
    photo = as_decoded_image(path)
    assert photo.alpha is not None and photo.alpha.max() == 9
    assert photo.dpi == pytest.approx((300, 300), abs=0.013)
    assert as_decoded_image(PIXELS).alpha is None
