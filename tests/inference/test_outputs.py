from __future__ import annotations

import io
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt

from sod_plugins.data import DecodedImage, Instances, decode_segmentation, encode_image, is_marked
from sod_plugins.inference import (
    Background,
    OutputOptions,
    encode_cutout,
    encode_map,
    encode_overlay,
    encode_prediction,
    encode_product,
    save_cutout,
    save_map,
    save_overlay,
)
from sod_plugins.inference.enlarging import enlarge, enlarge_levels
from sod_plugins.inference.foreground import estimate_foreground
from sod_plugins.inference.rendering import grow
from sod_plugins.ops.resize import resize_bilinear
from sod_plugins.visualization.overlays import tint_saliency

SALIENCY = np.array([[0.0, 0.5, 254.99 / 255], [1.0, 1 / 255, 0.999 / 255]], dtype=np.float32)
LEVELS = [[0, 127, 254], [255, 1, 0]]  # truncated: rounding would give 128, 255 and 1


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (2, 3, 3), dtype=np.uint8)


def test_map_is_truncated(tmp_path):
    save_map(tmp_path / 'new' / 'a.png', SALIENCY)
    with Image.open(tmp_path / 'new' / 'a.png') as saved:
        assert (saved.mode, saved.format) == ('L', 'PNG')
        np.testing.assert_array_equal(np.asarray(saved), LEVELS)


def test_the_alpha_of_a_cutout_has_twice_the_contrast_of_the_map(tmp_path, image):
    save_cutout(tmp_path / 'a.png', image, SALIENCY)
    alpha = np.array([[0, 127, 255], [255, 0, 0]])
    visible = np.where(alpha[..., None] > 0, image, 0)
    with Image.open(tmp_path / 'a.png') as saved:
        assert saved.mode == 'RGBA'
        np.testing.assert_array_equal(np.asarray(saved), np.dstack([visible, alpha]))


def test_a_photos_own_alpha_is_multiplied_into_its_cutout(image):
    alpha = np.array([[255, 255, 0], [128, 255, 255]], np.uint8)
    with Image.open(io.BytesIO(encode_cutout(DecodedImage(image, alpha), SALIENCY))) as saved:
        expected = [[0, 127, 0], [128, 0, 0]]  # of the map's * alpha / 255, rounded
        np.testing.assert_array_equal(np.asarray(saved)[..., 3], expected)
        assert not np.asarray(saved)[0, 2].any()


def test_an_overlay_keeps_the_photos_alpha_and_hides_nothing_under_it(image):
    alpha = np.array([[255, 255, 0], [128, 255, 255]], np.uint8)
    tinted = tint_saliency(image, SALIENCY)
    tinted[0, 2] = 0
    with Image.open(io.BytesIO(encode_overlay(DecodedImage(image, alpha), SALIENCY))) as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.dstack([tinted, alpha]))


@pytest.mark.parametrize('encode', [encode_cutout, encode_overlay])
def test_colour_profile_and_resolution_are_kept(image, encode):
    photo = DecodedImage(image, icc_profile=b'a profile', dpi=(300, 150))
    with Image.open(io.BytesIO(encode(photo, SALIENCY))) as saved:
        assert saved.info['icc_profile'] == b'a profile'
        assert saved.info['dpi'] == pytest.approx((300, 150), abs=0.013)  # whole dots a metre


def test_pictures_name_their_maker(tmp_path, image):
    save_map(tmp_path / 'a.png', SALIENCY)
    save_cutout(tmp_path / 'b.png', image, SALIENCY)
    save_overlay(tmp_path / 'c.png', image, SALIENCY)
    assert all(is_marked(tmp_path / name) for name in ('a.png', 'b.png', 'c.png'))
    assert encode_map(SALIENCY) == (tmp_path / 'a.png').read_bytes()


def test_overlay_is_tinted(tmp_path, image):
    save_overlay(tmp_path / 'a.png', image, SALIENCY)
    with Image.open(tmp_path / 'a.png') as saved:
        np.testing.assert_array_equal(np.asarray(saved), tint_saliency(image, SALIENCY))


def test_interrupted_writing_leaves_no_file_and_is_made_good(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, 'fsync', interrupted)
        save_map(tmp_path / 'a.png', SALIENCY)
    assert not (tmp_path / 'a.png').exists()
    save_map(tmp_path / 'a.png', SALIENCY)
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']


# --- products as encoded bytes, and their options ---


def decode(encoded):
    with Image.open(io.BytesIO(getattr(encoded, 'content', encoded))) as image:
        return image.format, np.asarray(image)


@pytest.fixture
def scene():
    """A photo with a bright disc, and its map at an eighth of the size."""
    rows, columns = np.mgrid[:80, :96]
    disc = (rows - 40) ** 2 + (columns - 30) ** 2 < 20**2
    pixels = np.where(disc[..., None], (250, 200, 10), (10, 40, 90)).astype(np.uint8)
    return DecodedImage(pixels), disc


def test_bytes_become_any_product(scene):
    photo, disc = scene
    content = encode_image(photo.pixels)
    predictor = SimpleNamespace(predict=lambda pixels: (pixels[..., 0] > 99).astype(np.float32))
    for product, expected in (('map', 255 * disc), ('mask', 255 * disc)):
        encoded = encode_product(predictor, content, product)
        assert (encoded.media_type, encoded.suffix) == ('image/png', '.png')
        np.testing.assert_array_equal(decode(encoded)[1], expected)
    assert decode(encode_product(predictor, content, 'overlay'))[0] == 'JPEG'
    with pytest.raises(ValueError, match=r"product must be .* Did you mean 'cutout'"):
        encode_product(predictor, content, 'cutuot')
    with pytest.raises(ValueError, match='product of a saliency map'):
        encode_product(predictor, content, 'instances')


@pytest.mark.parametrize('polygons', [False, True])
def test_instances_are_json_and_overlays(scene, polygons):
    photo, disc = scene
    found = Instances(
        np.array([[11, 21, 50, 60]], np.float32),
        disc[None],
        np.array([0.9], np.float32),
        np.zeros(1, np.int64),
    )
    options = OutputOptions(polygons=polygons)
    encoded = encode_prediction(photo, found, 'instances', options)
    assert encoded.media_type == 'application/json'
    values = json.loads(encoded.content)
    assert (values['height'], values['width']) == (80, 96)
    segmentation = values['annotations'][0]['segmentation']
    assert isinstance(segmentation, list) == polygons
    np.testing.assert_array_equal(decode_segmentation(segmentation, (80, 96)), disc)
    assert decode(encode_prediction(photo, found, 'overlay'))[1].shape == (80, 96, 3)
    with pytest.raises(ValueError, match='product of instances'):
        encode_prediction(photo, found, 'map')


def test_a_map_of_the_networks_size_is_enlarged(scene):
    small = np.random.default_rng(1).random((5, 7), np.float32)
    expected = resize_bilinear(torch.tensor(small)[None, None], (80, 96))[0, 0].mul(255).floor()
    levels = decode(encode_prediction(scene[0], small, 'map'))[1]
    assert (levels != expected.numpy()).mean() < 1e-3  # of sums that round to another whole number
    assert np.abs(levels - expected.numpy()).max() <= 1


@pytest.mark.parametrize('size', [(1, 1), (3, 2), (5, 7), (9, 4), (40, 33)])
def test_enlarging_is_the_packages_resize(size):
    small = np.random.default_rng(1).random((5, 7), np.float32)
    expected = resize_bilinear(torch.tensor(small)[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(enlarge(small, size), expected, atol=1e-6)
    ones = np.ones((5, 7), np.float32)
    assert (enlarge_levels(ones, size) == 255).all()


def test_threshold_growth_and_crop(scene):
    photo, disc = scene
    saliency = np.where(disc, 0.6, 0.2).astype(np.float32)

    def alpha(**options):
        return decode(encode_cutout(photo, saliency, OutputOptions(**options)))[1][..., 3]

    assert set(np.unique(alpha())) == {0, 179}
    np.testing.assert_array_equal(alpha(threshold=0.5), 255 * disc)
    distance = distance_transform_edt(~disc)
    for pixels in (1, 4, 9):
        grown = alpha(threshold=0.5, grow=pixels) > 0
        assert grown[distance <= pixels - 0.5].all() and not grown[distance > pixels + 0.5].any()
    inside = distance_transform_edt(disc)
    shrunk = alpha(threshold=0.5, grow=-3) > 0
    assert shrunk[inside > 3.5].all() and not shrunk[inside <= 2.5].any()
    assert alpha(threshold=0.5, crop=True).shape == (39, 39)
    assert alpha(threshold=0.9, crop=True).shape == (80, 96)
    assert (alpha(grow=200) == 179).all() and not alpha(grow=-200).any()


def test_a_region_at_the_border_stays_there_when_it_shrinks():
    levels = np.zeros((9, 12), np.uint8)
    levels[:, :6] = 255
    np.testing.assert_array_equal(np.unique(grow(levels, -2), axis=0), [[255] * 4 + [0] * 8])


def test_backgrounds(scene, tmp_path):
    photo, disc = scene
    saliency = disc.astype(np.float32)

    def cutout(background, **options):
        options = OutputOptions(background=Background.read(background), **options)
        return decode(encode_cutout(photo, saliency, options))

    for colour in ('#ff8000', 'rgb(255, 128, 0)', (255, 128, 0)):
        pixels = cutout(colour)[1]
        np.testing.assert_array_equal(pixels[disc], photo.pixels[disc])
        assert (pixels[~disc] == (255, 128, 0)).all()
    through = cutout('#ff800080')[1]
    assert (through[~disc] == (255, 128, 0, 128)).all() and (through[disc][:, 3] == 255).all()
    Image.new('RGB', (10, 30), (1, 2, 3)).save(tmp_path / 'wall.png')
    assert (cutout(tmp_path / 'wall.png')[1][~disc] == (1, 2, 3)).all()
    assert cutout('blur')[1][~disc].std() > 1
    assert cutout('white', format='jpeg')[0] == 'JPEG'
    with pytest.raises(ValueError, match=r"background 'nowhere\.png' is no colour"):
        Background.read('nowhere.png')


def test_a_half_transparent_pixel_on_a_background_is_the_mean(scene):
    photo, _ = scene
    options = OutputOptions(background=Background.read('black'))
    half = np.full((80, 96), 0.5, np.float32)
    pixels = decode(encode_cutout(photo, half, options))[1]
    np.testing.assert_allclose(pixels, photo.pixels * (127 / 255), atol=0.51)


def test_foreground_colours_lose_the_old_background():
    """A disc of one colour, mixed into another by a soft alpha, is found to a fiftieth."""
    rows, columns = np.mgrid[:160, :160]
    alpha = np.clip((50 - np.hypot(rows - 80, columns - 80)) / 16 + 0.5, 0, 1)
    front, back = np.array([220.0, 60, 30]), np.array([20.0, 90, 200])
    mixed = np.rint(alpha[..., None] * front + (1 - alpha[..., None]) * back).astype(np.uint8)
    levels = np.rint(255 * alpha).astype(np.uint8)
    band = (levels > 25) & (levels < 255)
    estimated = estimate_foreground(mixed, levels)
    assert np.abs(estimated[band] - front).max() <= 4
    assert np.abs(mixed[band].astype(float) - front).max() > 150
    np.testing.assert_array_equal(estimated[levels == 255], mixed[levels == 255])
    np.testing.assert_array_equal(estimated[levels == 0], mixed[levels == 0])


@pytest.mark.parametrize('format', ['png', 'webp', 'jpeg', 'avif'])
def test_formats_and_their_mark(tmp_path, scene, format):
    photo, disc = scene
    saliency = disc.astype(np.float32)
    options = OutputOptions(format=format)
    for product, exact in (('map', True), ('mask', True), ('overlay', False)):
        encoded = encode_prediction(photo, saliency, product, options)
        path = tmp_path / f'{product}{encoded.suffix}'
        path.write_bytes(encoded.content)
        assert is_marked(path)
        found, pixels = decode(encoded)
        kept = format in ('png', 'webp') or not exact
        assert found == (format if kept else 'png').upper()
        if exact:  # WebP has no grey
            np.testing.assert_array_equal(pixels.reshape(80, 96, -1)[..., 0], 255 * disc)
    if format == 'jpeg':
        with pytest.raises(ValueError, match='jpeg holds no transparency'):
            encode_prediction(photo, saliency, 'cutout', options)
    else:
        pixels = decode(encode_prediction(photo, saliency, 'cutout', options))[1]
        np.testing.assert_array_equal(pixels[..., 3] > 127, disc)


def test_options_out_of_range_are_refused():
    for options in ({'threshold': 0}, {'quality': 101}, {'grow': 1001}, {'format': 'gif'}):
        with pytest.raises(ValueError, match=next(iter(options))):
            OutputOptions(**options)
