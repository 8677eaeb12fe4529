from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import Photo, is_marked
from sod_plugins.inference import (
    encode_cutout,
    encode_map,
    encode_overlay,
    save_cutout,
    save_map,
    save_overlay,
)
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


def test_cutout_has_the_map_as_alpha_and_nothing_under_full_transparency(tmp_path, image):
    save_cutout(tmp_path / 'a.png', image, SALIENCY)
    visible = np.where(np.array(LEVELS)[..., None] > 0, image, 0)
    with Image.open(tmp_path / 'a.png') as saved:
        assert saved.mode == 'RGBA'
        np.testing.assert_array_equal(np.asarray(saved), np.dstack([visible, LEVELS]))


def test_a_photos_own_alpha_is_multiplied_into_its_cutout(image):
    alpha = np.array([[255, 255, 0], [128, 255, 255]], np.uint8)
    with Image.open(io.BytesIO(encode_cutout(Photo(image, alpha), SALIENCY))) as saved:
        expected = [[0, 127, 0], [128, 1, 0]]  # LEVELS * alpha / 255, rounded
        np.testing.assert_array_equal(np.asarray(saved)[..., 3], expected)
        assert not np.asarray(saved)[0, 2].any()


def test_an_overlay_keeps_the_photos_alpha_and_hides_nothing_under_it(image):
    alpha = np.array([[255, 255, 0], [128, 255, 255]], np.uint8)
    tinted = tint_saliency(image, SALIENCY)
    tinted[0, 2] = 0
    with Image.open(io.BytesIO(encode_overlay(Photo(image, alpha), SALIENCY))) as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.dstack([tinted, alpha]))


@pytest.mark.parametrize('encode', [encode_cutout, encode_overlay])
def test_colour_profile_and_resolution_are_kept(image, encode):
    photo = Photo(image, icc_profile=b'a profile', dpi=(300, 150))
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
    def half(self, file, **options):
        file.write(b'\x89PNG half')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Image.Image, 'save', half)
        save_map(tmp_path / 'a.png', SALIENCY)
    assert not (tmp_path / 'a.png').exists()
    save_map(tmp_path / 'a.png', SALIENCY)
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
