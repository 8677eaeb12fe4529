from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sod_plugins.inference import save_cutout, save_map, save_overlay
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


def test_cutout_keeps_the_colours_and_has_the_map_as_alpha(tmp_path, image):
    save_cutout(tmp_path / 'a.png', image, SALIENCY)
    with Image.open(tmp_path / 'a.png') as saved:
        assert saved.mode == 'RGBA'
        np.testing.assert_array_equal(np.asarray(saved), np.dstack([image, LEVELS]))


def test_overlay_is_tinted(tmp_path, image):
    save_overlay(tmp_path / 'a.png', image, SALIENCY)
    with Image.open(tmp_path / 'a.png') as saved:
        np.testing.assert_array_equal(np.asarray(saved), tint_saliency(image, SALIENCY))


def test_interrupted_writing_leaves_no_file_and_is_made_good(tmp_path, monkeypatch):
    def half(self, path, format):
        path.write_bytes(b'\x89PNG half')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Image.Image, 'save', half)
        save_map(tmp_path / 'a.png', SALIENCY)
    assert not (tmp_path / 'a.png').exists()
    save_map(tmp_path / 'a.png', SALIENCY)
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']
