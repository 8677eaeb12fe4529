from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import (
    DataError,
    decode_mask,
    decode_prediction,
    read_image,
    read_mask,
    read_size,
)

ORIENTATION = 0x0112


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def two_columns(left: int, right: int, dtype=np.uint8) -> np.ndarray:
    array = np.full((4, 6), left, dtype=dtype)
    array[:, 3:] = right
    return array


EXPECTED = two_columns(0, 1, np.float32)


def palette_image(indices: np.ndarray, colours: list[int]) -> Image.Image:
    image = Image.fromarray(indices)
    image.putpalette(colours)
    assert image.mode == 'P'
    return image


# --- masks that are understood: one test per row of the documented table ---


def test_mask_one_bit(tmp_path):
    path = tmp_path / 'm.png'
    Image.fromarray(two_columns(0, 255)).convert('1').save(path)
    mask = decode_mask(path)
    assert mask.format == '1-bit'
    assert mask.values.dtype == np.float32
    np.testing.assert_array_equal(mask.values, EXPECTED)


@pytest.mark.parametrize(
    ('high', 'format'), [(1, '8-bit grey 0/1'), (255, '8-bit grey 0/255'), (0, '8-bit grey 0/1')]
)
def test_mask_eight_bit_codings(tmp_path, high, format):
    mask = decode_mask(save(tmp_path / 'm.png', two_columns(0, high)))
    assert mask.format == format
    np.testing.assert_array_equal(mask.values, EXPECTED * (high > 0))


def test_mask_grey_levels_stay_soft(tmp_path):
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    mask = decode_mask(save(tmp_path / 'm.png', levels))
    assert mask.format == '8-bit grey levels'
    np.testing.assert_array_equal(mask.values, levels.astype(np.float32) / np.float32(255))


def test_darkest_accepted_mask_is_one_subject_of_twelve(tmp_path):
    mask = read_mask(save(tmp_path / 'm.png', two_columns(0, 21)))
    np.testing.assert_allclose(mask, EXPECTED * (21 / 255), rtol=1e-6)


@pytest.mark.parametrize(
    ('high', 'expected'),
    [(65535, 1.0), (32768, 32768 / 65535), (255, 1.0), (1, 1.0), (128, 128 / 255)],
)
def test_mask_sixteen_bit(tmp_path, high, expected):
    mask = read_mask(save(tmp_path / 'm.png', two_columns(0, high, np.uint16)))
    np.testing.assert_allclose(mask, EXPECTED * expected, rtol=1e-6)  # float32


def test_mask_sixteen_bit_with_a_transparent_grey_level(tmp_path):
    path = save(tmp_path / 'm.png', two_columns(0, 65535, np.uint16), transparency=0)
    np.testing.assert_array_equal(read_mask(path), EXPECTED)


@pytest.mark.parametrize(('high', 'expected'), [(1.0, 1.0), (0.25, 0.25), (51.0, 0.2)])
def test_mask_floating_point(tmp_path, high, expected):
    mask = read_mask(save(tmp_path / 'm.tif', two_columns(0, 1, np.float32) * np.float32(high)))
    np.testing.assert_allclose(mask, EXPECTED * expected, rtol=1e-6)  # float32


def test_mask_grey_palette_gives_its_grey_not_its_index(tmp_path):
    path = tmp_path / 'm.png'
    palette_image(two_columns(1, 0), [255, 255, 255, 0, 0, 0]).save(path)
    np.testing.assert_array_equal(read_mask(path), EXPECTED)


def test_mask_colour_palette_with_two_indices_gives_the_index(tmp_path):
    path = tmp_path / 'm.png'
    palette_image(two_columns(0, 1), [0, 0, 0, 128, 0, 0]).save(path)
    np.testing.assert_array_equal(read_mask(path), EXPECTED)


@pytest.mark.parametrize('high', [1, 255])
def test_mask_rgb_with_equal_channels(tmp_path, high):
    rgb = np.repeat(two_columns(0, high)[..., None], 3, axis=2)
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', rgb)), EXPECTED)


def test_mask_rgb_jpeg_noise_is_averaged(tmp_path):
    rgb = np.repeat(two_columns(0, 250)[..., None], 3, axis=2)
    rgb[..., 0] += 3
    mask = read_mask(save(tmp_path / 'm.png', rgb))
    np.testing.assert_allclose(mask, two_columns(1, 251) / 255, rtol=1e-6)


def test_mask_opaque_alpha_is_ignored(tmp_path):
    la = np.stack([two_columns(0, 255), np.full((4, 6), 255, np.uint8)], axis=2)
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', la)), EXPECTED)


@pytest.mark.parametrize('stencil', [0, 255])
def test_mask_alpha_of_a_stencil_is_the_mask(tmp_path, stencil):
    la = np.stack([np.full((4, 6), stencil, np.uint8), two_columns(0, 102)], axis=2)
    mask = decode_mask(save(tmp_path / 'm.png', la))
    assert mask.format == 'alpha'
    np.testing.assert_allclose(mask.values, EXPECTED * 0.4, rtol=1e-6)


def test_mask_alpha_of_a_cutout_is_the_mask(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (4, 6, 4), dtype=np.uint8)
    photo[..., 3] = two_columns(0, 255)
    np.testing.assert_array_equal(read_mask(save(tmp_path / 'm.png', photo)), EXPECTED)


def test_mask_follows_exif_orientation(tmp_path):
    mask = np.zeros((4, 6), np.uint8)
    mask[0, 0] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the file is to be turned by 90 degrees clockwise
    upright = read_mask(save(tmp_path / 'm.png', mask, exif=exif))
    np.testing.assert_array_equal(upright, np.rot90(mask, -1) / 255)


# --- masks that are refused: the message names the file, the reason and the remedy ---


def assert_refused(path: Path, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_mask(path)
    for word in (f"'{path}'", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize('high', [2, 11, 15])
def test_label_numbers_are_refused(tmp_path, high):
    path = save(tmp_path / 'm.png', two_columns(0, high))
    assert_refused(path, f'largest value is {high} of 255', 'instance numbers', '255 (or 1) on 0')


def test_colour_palette_with_labels_is_refused(tmp_path):
    path = tmp_path / 'm.png'
    palette_image(two_columns(0, 2), [0, 0, 0, 128, 0, 0, 0, 128, 0]).save(path)
    assert_refused(path, 'palette has colours', 'without a palette')


def test_colours_are_refused(tmp_path):
    rgb = np.zeros((4, 6, 3), np.uint8)
    rgb[:, 3:, 0] = 200
    assert_refused(save(tmp_path / 'm.png', rgb), 'colour channels differ', 'white on black')


def grey_mask_with_stray_colours(difference: int, count: int) -> np.ndarray:
    """A mask of 4,000 pixels, of which a few white ones lack some blue."""
    rgb = np.zeros((40, 100, 3), np.uint8)
    rgb[:, 50:] = 255
    rgb[0, 50 : 50 + count, 2] -= difference
    return rgb


def test_stray_colours_as_duts_holds_them_are_averaged_away(tmp_path):
    rgb = grey_mask_with_stray_colours(14, 4)
    mask = read_mask(save(tmp_path / 'm.png', rgb))
    np.testing.assert_array_equal(mask[0, 50:54], np.float32(250 / 255))  # (255 + 255 + 241) / 3
    assert mask[1:, 50:].min() == 1
    assert mask[:, :50].max() == 0


@pytest.mark.parametrize(('difference', 'count'), [(14, 5), (17, 1)])
def test_more_colour_than_noise_is_refused(tmp_path, difference, count):
    rgb = grey_mask_with_stray_colours(difference, count)
    assert_refused(save(tmp_path / 'm.png', rgb), 'colour channels differ')


def test_grey_and_alpha_that_both_vary_are_refused(tmp_path):
    la = np.stack([two_columns(0, 255).T, two_columns(90, 255).T], axis=2)
    la[0, 0, 0] = 255
    assert_refused(save(tmp_path / 'm.png', la), 'its grey values and its alpha', 'without alpha')


@pytest.mark.parametrize('value', [-0.5, 256.0, np.nan])
def test_floats_of_unknown_scale_are_refused(tmp_path, value):
    path = save(tmp_path / 'm.tif', np.array([[0, value]], np.float32))
    assert_refused(path, 'not within 0 to 1 or 0 to 255')


def test_integers_of_unknown_scale_are_refused(tmp_path):
    path = save(tmp_path / 'm.tif', np.array([[0, 70000]], np.int32))
    assert_refused(path, 'not 8- or 16-bit', 'Save it as 8-bit grey')


@pytest.mark.parametrize(
    ('name', 'values'),
    [('m.png', np.array([[0, 3, 1000]], np.uint16)), ('m.tif', np.array([[0, 2, 3]], np.float32))],
)
def test_deep_masks_as_dark_as_label_numbers_are_refused(tmp_path, name, values):
    assert_refused(save(tmp_path / name, values), 'seems to hold class or instance numbers')


def test_folder_in_place_of_a_file(tmp_path):
    (tmp_path / 'm.png').mkdir()
    assert_refused(tmp_path / 'm.png', 'Is a directory', 'Correct the path or its permissions')


def test_missing_file(tmp_path):
    assert_refused(tmp_path / 'm.png', 'there is no such file', 'Correct the path')


def test_file_that_is_no_image(tmp_path):
    path = tmp_path / 'm.png'
    path.write_text('hello')
    assert_refused(path, 'not an image that Pillow can identify', 'Replace or remove it')


@pytest.mark.parametrize('name', ['m.png', 'm.jpg', 'm.tif', 'm.bmp', 'm.webp'])
@pytest.mark.parametrize('reader', [read_image, read_mask])
def test_truncated_file(tmp_path, name, reader):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save(tmp_path / name, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r'damaged or truncated|not an image that') as caught:
        reader(path)
    assert f"'{path}'" in str(caught.value)


# --- sizes ---


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('name', ['i.png', 'i.jpg', 'i.tif'])
def test_size_is_that_of_the_upright_image(tmp_path, name, orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = save(tmp_path / name, np.zeros((5, 7, 3), np.uint8), exif=exif)
    assert read_size(path) == read_image(path).shape[:2]
    assert read_size(path) == ((5, 7) if orientation < 5 else (7, 5))


@pytest.mark.parametrize('name', ['i.png', 'i.jpg', 'i.tif', 'i.bmp', 'i.webp'])
def test_size_of_a_truncated_photo_is_refused(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (64, 32, 3), dtype=np.uint8)
    path = save(tmp_path / name, noise)
    assert read_size(path) == (64, 32)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=r'damaged or truncated|not an image that'):
        read_size(path)
    path.write_text('hello')
    with pytest.raises(DataError, match=rf"{name}': it is not an image that"):
        read_size(path)


# --- saved saliency maps: the rules of masks, but for how dark they may be ---


@pytest.mark.parametrize(
    ('high', 'dtype', 'value', 'dark'),
    [
        (1, np.uint8, 1, 1 / 255),
        (255, np.uint16, 1, 255 / 65535),
        (1, np.uint16, 1, 1 / 65535),
        (9, np.uint8, 9 / 255, 9 / 255),  # a mask of 9 would be refused as a class
        (300, np.uint16, 300 / 65535, 300 / 65535),
        (200, np.uint8, 200 / 255, 200 / 255),
    ],
)
def test_predictions_are_read_by_the_rules_of_masks_or_at_full_scale(
    tmp_path, high, dtype, value, dark
):
    path = save(tmp_path / 'p.png', two_columns(0, high, dtype))
    for full_scale, expected in ((False, value), (True, dark)):
        found = decode_prediction(path, full_scale=full_scale)
        np.testing.assert_allclose(found.values, EXPECTED * expected, rtol=1e-6)
        assert found.white == np.iinfo(dtype).max
        assert found.scale == round(high / expected)


def test_predictions_may_have_the_chroma_noise_of_jpeg_but_no_colours(tmp_path):
    grey = np.repeat(two_columns(20, 200)[..., None], 3, axis=2)
    noisy = grey + np.array([2, 0, 1], np.uint8)
    found = decode_prediction(save(tmp_path / 'p.png', noisy))
    np.testing.assert_array_equal(np.rint(found.values * 255), two_columns(21, 201))
    grey[0, :, 0] += 40
    with pytest.raises(DataError, match=r"Cannot read prediction '.*p\.png': it has colours"):
        decode_prediction(save(tmp_path / 'p.png', grey))


def test_a_mask_takes_few_bytes_a_pixel(tmp_path):
    """Of numpy's memory, at the most at once; Pillow's own image is 4 bytes a pixel more."""
    rgb = np.zeros((1500, 1500, 3), np.uint8)
    rgb[:700] = 255
    peaks = {}
    for name, pixels in (('grey', rgb[..., 0]), ('rgb', rgb)):
        path = save(tmp_path / f'{name}.png', pixels)
        read_mask(path)
        tracemalloc.start()
        read_mask(path)
        peaks[name] = tracemalloc.get_traced_memory()[1] / 1500**2
        tracemalloc.stop()
    # The result is 4 bytes a pixel, grey 1 and RGB 3; the rest is what is compared and summed.
    assert peaks['grey'] < 8
    assert peaks['rgb'] < 12
