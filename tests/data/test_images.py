from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from sod_plugins.data import DataError, DecodedImage, decode_image, read_image

ORIENTATION = 0x0112


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, array: np.ndarray, **options) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()


def test_image_is_rgb_in_order(tmp_path):
    rgb = noise(5, 7, 3)
    image = read_image(save(tmp_path / 'i.png', rgb))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, rgb)
    image[0, 0] = 0  # the array is the caller's own


def test_more_rows_than_are_read_at_a_time(tmp_path):
    rgba = noise(600, 3, 4)
    photo = decode_image(save(tmp_path / 'i.png', rgba))
    np.testing.assert_array_equal(photo.pixels, rgba[..., :3])
    np.testing.assert_array_equal(photo.alpha, rgba[..., 3])


# --- what holds the photo ---


def test_bytes_open_files_and_images_are_read_as_files_are(tmp_path):
    path = save(tmp_path / 'i.png', noise(5, 7, 3))
    expected = read_image(path)
    np.testing.assert_array_equal(read_image(str(path)), expected)
    np.testing.assert_array_equal(read_image(path.read_bytes()), expected)
    with path.open('rb') as file:
        np.testing.assert_array_equal(read_image(file), expected)
    with Image.open(path) as image:
        np.testing.assert_array_equal(read_image(image), expected)


def test_sources_without_name_are_named_by_their_kind():
    with pytest.raises(DataError, match=r'Cannot read image of 5 bytes: it is not an image'):
        read_image(b'hello')
    with pytest.raises(DataError, match=r'Cannot read image in a BytesIO: it is not an image'):
        read_image(io.BytesIO(b'hello'))


# --- depth ---


@pytest.mark.parametrize(
    ('largest', 'white', 'format'),
    [
        (255, 255, '16-bit grey with 8-bit values'),
        (256, 4095, '16-bit grey with 12-bit values'),
        (4095, 4095, '16-bit grey with 12-bit values'),
        (4096, 65535, '16-bit grey'),
        (65535, 65535, '16-bit grey'),
    ],
)
@pytest.mark.parametrize('name', ['i.png', 'i.tif'])
def test_range_of_16_bit_grey_is_recognised(tmp_path, name, largest, white, format):
    values = np.linspace(0, largest, 600).round().astype(np.uint16).reshape(300, 2)
    photo = decode_image(save(tmp_path / name, values))
    expected = np.floor(values * 255.0 / white + 0.5)
    np.testing.assert_array_equal(photo.pixels, np.repeat(expected[..., None], 3, axis=2))
    assert photo.format == format


def test_integers_beyond_16_bits_are_refused(tmp_path):
    path = save(tmp_path / 'i.tif', np.array([[0, 70000]], np.int32))
    with pytest.raises(DataError, match=r'not 8-, 12- or 16-bit\. Save it as 8-bit RGB'):
        read_image(path)


def test_float_image_is_refused(tmp_path):
    path = save(tmp_path / 'i.tif', np.zeros((2, 2), np.float32))
    with pytest.raises(DataError, match='floating-point values have no fixed scale'):
        read_image(path)


@pytest.mark.parametrize(
    ('mode', 'format'),
    [('L', '8-bit grey'), ('P', 'palette'), ('1', '1-bit'), ('RGB', '8-bit RGB')],
)
def test_coding_is_named(tmp_path, mode, format):
    Image.fromarray(noise(4, 4, 3)).convert(mode).save(tmp_path / 'i.png')
    assert decode_image(tmp_path / 'i.png').format == format


# --- alpha ---


def test_alpha_is_kept_apart_and_not_composited(tmp_path):
    rgba = noise(5, 7, 4)
    photo = decode_image(save(tmp_path / 'i.png', rgba))
    np.testing.assert_array_equal(photo.pixels, rgba[..., :3])
    np.testing.assert_array_equal(photo.alpha, rgba[..., 3])


def test_opaque_alpha_is_none(tmp_path):
    rgba = noise(5, 7, 4)
    rgba[..., 3] = 255
    assert decode_image(save(tmp_path / 'i.png', rgba)).alpha is None


@pytest.mark.filterwarnings('error')
def test_palette_with_transparency(tmp_path):
    columns = np.full((4, 6), 0, np.uint8)
    columns[:, 3:] = 1
    image = Image.fromarray(columns)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / 'i.png', transparency=b'\x00\x80')
    photo = decode_image(tmp_path / 'i.png')
    expected = np.where(columns[..., None], (40, 50, 60), (10, 20, 30))
    np.testing.assert_array_equal(photo.pixels, expected)
    np.testing.assert_array_equal(photo.alpha, np.where(columns, 128, 0))


def test_transparent_colour(tmp_path):
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[0, 0] = (1, 2, 3)
    photo = decode_image(save(tmp_path / 'i.png', rgb, transparency=(1, 2, 3)))
    np.testing.assert_array_equal(photo.alpha, [[0, 255], [255, 255]])


# --- what pictures of the photo should keep ---


def test_colour_profile_and_resolution(tmp_path):
    profile = srgb()
    path = save(tmp_path / 'i.jpg', noise(4, 6, 3), icc_profile=profile, dpi=(300, 150))
    photo = decode_image(path)
    assert (photo.icc_profile, photo.dpi) == (profile, (300, 150))


def test_resolution_turns_with_the_photo(tmp_path):
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = save(tmp_path / 'i.jpg', noise(4, 6, 3), dpi=(300, 150), exif=exif)
    assert decode_image(path).dpi == (150, 300)
    assert decode_image(path, exif='ignore').dpi == (300, 150)


def test_profile_of_other_colours_is_dropped(tmp_path):
    profile = bytearray(srgb())
    profile[16:20] = b'CMYK'
    path = tmp_path / 'i.jpg'
    Image.fromarray(noise(4, 6, 4), 'CMYK').save(path, icc_profile=bytes(profile))
    photo = decode_image(path)
    assert (photo.icc_profile, photo.format) == (None, '8-bit CMYK')


def test_nothing_stated():
    stream = io.BytesIO()
    Image.fromarray(noise(4, 6, 3)).save(stream, 'PNG')
    photo = decode_image(stream.getvalue())
    np.testing.assert_array_equal(photo.pixels, noise(4, 6, 3))
    assert photo == DecodedImage(photo.pixels)
