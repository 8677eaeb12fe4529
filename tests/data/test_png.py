from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import encode_png, is_marked, save_png

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)


@pytest.mark.parametrize('pixels', [PIXELS[..., 0], PIXELS[..., :3], PIXELS])
def test_pixels_are_written_as_they_are(tmp_path, pixels):
    save_png(tmp_path / 'deeper' / 'a.png', pixels)
    with Image.open(tmp_path / 'deeper' / 'a.png') as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    assert encode_png(pixels) == (tmp_path / 'deeper' / 'a.png').read_bytes()


def test_profile_resolution_and_mark():
    content = encode_png(PIXELS, icc_profile=b'profile', dpi=(300, 150), mark=True)
    with Image.open(io.BytesIO(content)) as image:
        assert image.info['icc_profile'] == b'profile'
        assert image.info['dpi'] == pytest.approx((300, 150), abs=0.013)  # whole dots a metre
        assert image.info['Software'] == 'sod_plugins'


def test_only_marked_pictures_are_marked(tmp_path):
    save_png(tmp_path / 'a.png', PIXELS, icc_profile=bytes(10**5), mark=True)
    save_png(tmp_path / 'b.png', PIXELS)
    Image.fromarray(PIXELS[..., 0]).save(tmp_path / 'c.jpg')
    (tmp_path / 'd.png').write_bytes((tmp_path / 'a.png').read_bytes()[:40])
    found = {name: is_marked(tmp_path / name) for name in ('a.png', 'b.png', 'c.jpg', 'd.png')}
    assert found == {'a.png': True, 'b.png': False, 'c.jpg': False, 'd.png': False}
    assert not is_marked(tmp_path / 'none.png')


def test_names_as_long_as_a_file_system_allows(tmp_path):
    path = tmp_path / f'{"n" * 251}.png'
    save_png(path, PIXELS)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_link_in_wait_is_not_written_through(tmp_path):
    (tmp_path / 'precious').write_text('mine')
    (tmp_path / '.a.png.part').symlink_to(tmp_path / 'precious')
    save_png(tmp_path / 'a.png', PIXELS)
    assert (tmp_path / 'precious').read_text() == 'mine'
