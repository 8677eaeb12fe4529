from __future__ import annotations

import numpy as np
import pytest

from sod_plugins.data import bounding_box, compress_mask, decode_segmentation, encode_rle


@pytest.mark.parametrize(
    ('mask', 'counts'),
    [
        ([[0, 1], [0, 1]], [2, 2]),
        ([[1, 0], [0, 0]], [0, 1, 3]),
        ([[0, 0], [0, 0]], [4]),
        ([[1, 1], [1, 1]], [0, 4]),
        ([[0, 1, 0], [1, 0, 0]], [1, 2, 3]),
    ],
)
def test_runs_go_down_the_columns(mask, counts):
    rle = encode_rle(np.array(mask, dtype=bool))
    assert rle == {'size': list(np.shape(mask)), 'counts': counts}
    np.testing.assert_array_equal(decode_segmentation(rle, np.shape(mask)), mask)


def test_compressed_runs_of_pycocotools_are_read():
    tools = pytest.importorskip('pycocotools.mask')
    rng = np.random.default_rng(0)
    masks = [rng.random((37, 91)) < share for share in (0.0, 0.01, 0.5, 0.99, 1.0)]
    # Runs of thousands of pixels take several letters, and shrinking ones are negative differences.
    blocks = np.zeros((300, 400), dtype=bool)
    blocks[20:290, 30:40] = blocks[100, 200:] = blocks[:, 390:] = True
    for mask in [*masks, blocks]:
        rle = tools.encode(np.asfortranarray(mask, dtype=np.uint8))
        np.testing.assert_array_equal(decode_segmentation(rle, mask.shape), mask)
        text = compress_mask(mask)
        assert text == {'size': list(mask.shape), 'counts': rle['counts'].decode()}
        np.testing.assert_array_equal(decode_segmentation(text, mask.shape), mask)


def test_polygons_are_filled():
    pytest.importorskip('pycocotools')
    expected = np.zeros((8, 10), dtype=bool)
    expected[2:6, 1:4] = expected[0:2, 6:10] = True
    polygons = [[1, 2, 4, 2, 4, 6, 1, 6], [6, 0, 10, 0, 10, 2, 6, 2]]
    np.testing.assert_array_equal(decode_segmentation(polygons, (8, 10)), expected)


def test_box_covers_whole_pixels():
    mask = np.zeros((9, 9), dtype=bool)
    mask[5, 3] = True
    assert bounding_box(mask) == [3, 5, 1, 1]
    mask[8, 7] = True
    assert bounding_box(mask) == [3, 5, 5, 4]


@pytest.mark.parametrize(
    ('segmentation', 'reason'),
    [
        ('text', 'neither run lengths nor'),
        ({'size': [2, 3]}, 'neither run lengths nor'),
        ({'size': [3, 2], 'counts': [6]}, r'size \[3, 2\], but the image of \[2, 3\]'),
        ({'size': [2, 3], 'counts': [5]}, 'do not add up to 6 pixels'),
        ({'size': [2, 3], 'counts': [7, -1]}, 'do not add up'),
        ({'size': [2, 3], 'counts': []}, 'do not add up'),
        ({'size': [2, 3], 'counts': 'P'}, 'end in the middle'),
        ([], 'no polygon'),
        ([[0, 0, 1, 1]], 'three points'),
        ([[0, 0, 1, 1, 2, 2, 3]], 'not pairs of x and y'),
        ([[0, 0, 1, float('nan'), 2, 2]], 'not finite'),
    ],
)
def test_what_is_no_segmentation_is_refused(segmentation, reason):
    with pytest.raises(ValueError, match=reason):
        decode_segmentation(segmentation, (2, 3))
