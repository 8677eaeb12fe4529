from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError
from sod_plugins.openmmlab.datasets import SaliencyDataset


@pytest.fixture
def folder(photos, tmp_path):
    """Return a copy of the data set that a test may damage."""
    return shutil.copytree(photos, tmp_path / 'copy')


def test_pairs_reach_the_pipeline(photos):
    dataset = SaliencyDataset(photos)
    assert len(dataset) == 11
    assert dataset[3]['img_path'] == str(photos / 'images' / '03.png')
    assert dataset[3]['seg_map_path'] == str(photos / 'masks' / '03.png')


def test_list_selects(photos, tmp_path):
    (tmp_path / 'list.txt').write_text('07\n02\n')
    dataset = SaliencyDataset(photos, list_file=tmp_path / 'list.txt')
    assert [dataset[i]['img_path'][-6:] for i in range(2)] == ['02.png', '07.png']


def test_sizes_are_compared_before_training(folder):
    Image.new('L', (30, 30)).save(folder / 'masks' / '04.png')
    with pytest.raises(DataError, match=r"images/04\.png' is .* but '.*masks/04\.png' is 30x30"):
        SaliencyDataset(folder)


def test_orientation_counts_in_sizes(folder):
    height, width = 20, 30
    exif = Image.Exif()
    exif[0x0112] = 8
    pixels = np.zeros((height, width, 3), np.uint8)
    Image.fromarray(pixels).save(folder / 'images' / '04.png', exif=exif)
    Image.new('L', (height, width)).save(folder / 'masks' / '04.png')
    assert len(SaliencyDataset(folder)) == 11


def test_unreadable_file_is_named_before_training(folder):
    (folder / 'images' / '05.png').write_bytes(b'no image')
    with pytest.raises(DataError, match=r"1 of 11 .*\nCannot read .*images/05\.png'"):
        SaliencyDataset(folder)


def test_truncated_photos_and_masks_of_labels_are_named_before_training(folder):
    """Together, not one at a time while the network trains."""
    photo = folder / 'images' / '02.jpg'
    Image.open(folder / 'images' / '02.png').save(photo)
    (folder / 'images' / '02.png').unlink()
    photo.write_bytes(photo.read_bytes()[: photo.stat().st_size // 2])
    mask = folder / 'masks' / '07.png'
    Image.open(mask).point(lambda level: level // 64).save(mask)
    message = r"2 of 11 .*\n.*02\.jpg': the file is damaged or truncated.*\n.*07\.png': its largest"
    with pytest.raises(DataError, match=message):
        SaliencyDataset(folder)


def test_missing_partner_is_named_before_training(folder):
    (folder / 'masks' / '06.png').unlink()
    with pytest.raises(DataError, match=r'images without mask: .*06\.png'):
        SaliencyDataset(folder)


def test_preset_states_the_count(photos):
    with pytest.raises(DataError, match='ECSSD has 1000 pairs, but 11 were found'):
        SaliencyDataset(photos, preset='ecssd')
    with pytest.raises(DataError, match=r"preset must be one of .* got 'ecsd'"):
        SaliencyDataset(photos, preset='ecsd')


@pytest.mark.parametrize(('exif', 'shape'), [('ignore', (20, 30)), (None, (30, 20))])
def test_photos_are_read_as_they_are_stored_where_masks_were_drawn_so(tmp_path, exif, shape):
    tags = Image.Exif()
    tags[0x0112] = 6
    photo = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask = np.zeros(shape, np.uint8)
    mask[: shape[0] // 2] = 255
    for name, pixels, options in (('images', photo, {'exif': tags}), ('masks', mask, {})):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / 'a.png', **options)
    pipeline = [
        {'type': 'sod_plugins.LoadSaliencyImage'},
        {'type': 'sod_plugins.LoadSaliencyMask'},
        {'type': 'sod_plugins.PackSaliencyInputs'},
    ]
    packed = SaliencyDataset(tmp_path, exif=exif, pipeline=pipeline)[0]
    expected = photo if exif == 'ignore' else np.rot90(photo, -1)
    np.testing.assert_array_equal(packed['inputs'].permute(1, 2, 0), expected)
    np.testing.assert_array_equal(packed['data_samples'].gt_sem_seg.data[0], mask / 255)
    assert packed['data_samples'].get('exif', 'apply') == (exif or 'apply')
