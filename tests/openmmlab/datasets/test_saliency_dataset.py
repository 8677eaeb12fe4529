from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import DataError, sample_rng
from sod_plugins.openmmlab.datasets import SaliencyDataset
from sod_plugins.openmmlab.datasets.samplers import DrawIndex


@pytest.fixture
def folder(photos, tmp_path):
    """Return a copy of the data set that a test may damage."""
    return shutil.copytree(photos, tmp_path / 'copy')


def numbers(dataset, index):
    return dataset[index]['rng'].integers(1000, size=3).tolist()


def test_pairs_reach_the_pipeline(photos):
    dataset = SaliencyDataset(photos)
    assert len(dataset) == 11
    assert dataset[3]['img_path'] == str(photos / 'images' / '03.png')
    assert dataset[3]['seg_map_path'] == str(photos / 'masks' / '03.png')


def test_list_selects(photos, tmp_path):
    (tmp_path / 'list.txt').write_text('07\n02\n')
    dataset = SaliencyDataset(photos, list_file=tmp_path / 'list.txt')
    assert [dataset[i]['img_path'][-6:] for i in range(2)] == ['02.png', '07.png']


def test_generator_is_a_function_of_seed_draw_and_index(photos):
    dataset = SaliencyDataset(photos, seed=6)
    expected = sample_rng(6, 40, 3).integers(1000, size=3).tolist()
    assert numbers(dataset, DrawIndex(3, draw=40)) == expected
    assert numbers(dataset, DrawIndex(3, draw=41)) != expected
    assert numbers(dataset, DrawIndex(4, draw=40)) != expected
    assert numbers(SaliencyDataset(photos, seed=7), DrawIndex(3, draw=40)) != expected


def test_plain_index_is_random_in_training_and_fixed_in_testing(photos):
    training, testing = SaliencyDataset(photos), SaliencyDataset(photos, test_mode=True)
    assert numbers(training, 3) != numbers(training, 3)
    assert numbers(testing, 3) == numbers(testing, 3)


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
    with pytest.raises(DataError, match="No preset is named 'ecsd'"):
        SaliencyDataset(photos, preset='ecsd')
