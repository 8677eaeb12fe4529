from __future__ import annotations

import shutil

import numpy as np
import pytest

pytest.importorskip('mmcv')

from sod_plugins.data import DataError
from sod_plugins.openmmlab.datasets import ImageFolderDataset
from sod_plugins.openmmlab.datasets.samplers import SampleIndex

TRAIN_PIPELINE = [
    dict(type='sod_plugins.LoadSaliencyImage'),
    dict(type='sod_plugins.RandomResizedCrop', size=(8, 12)),
    dict(type='sod_plugins.RandomSaliencyFlip', prob=0.5),
    dict(type='sod_plugins.ColorJitter', brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1),
    dict(type='sod_plugins.PackClassInputs'),
]


@pytest.fixture
def folder(class_photos, tmp_path):
    """Return a copy of the photos that a test may damage."""
    return shutil.copytree(class_photos, tmp_path / 'copy')


def test_images_and_classes_reach_the_pipeline(class_photos):
    dataset = ImageFolderDataset(class_photos, 'train')
    assert dataset.metainfo['classes'] == ('blue', 'green', 'red')
    assert len(dataset) == 18
    assert dataset[7]['img_path'] == str(class_photos / 'train' / 'green' / '1.png')
    assert [dataset[i]['gt_label'] for i in range(18)] == [0] * 6 + [1] * 6 + [2] * 6


def test_a_list_names_images_below_the_split(folder):
    (folder / 'meta').mkdir()
    (folder / 'meta' / 'train.txt').write_text('red/3.png 1\nblue/0.png 0\n')
    dataset = ImageFolderDataset(folder, 'train', list_file='meta/train.txt')
    assert [(dataset[i]['img_path'], dataset[i]['gt_label']) for i in range(2)] == [
        (str(folder / 'train/red/3.png'), 1),
        (str(folder / 'train/blue/0.png'), 0),
    ]
    (folder / 'meta' / 'val.txt').write_text('red/0.png 1\n')
    val = ImageFolderDataset(
        folder, 'val', list_file='meta/val.txt', classes_of='meta/train.txt', test_mode=True
    )
    assert val.metainfo['classes'] == ('0', '1')
    assert val[0]['gt_label'] == 1


def test_validation_keeps_the_numbers_of_the_training_set(folder):
    shutil.rmtree(folder / 'val' / 'green')
    val = ImageFolderDataset(folder, 'val', classes_of='train')
    assert [val[i]['gt_label'] for i in range(len(val))] == [0, 0, 2, 2]
    (folder / 'train' / 'green').rename(folder / 'train' / 'cyan')
    (folder / 'val' / 'blue').rename(folder / 'val' / 'green')
    with pytest.raises(DataError, match=r"val' has classes that the training set has not: green"):
        ImageFolderDataset(folder, 'val', classes_of='train')


def test_a_damaged_image_is_named_when_asked_or_when_read(folder):
    for name in ('red/0.png', 'blue/5.png'):
        (folder / 'train' / name).write_bytes(b'no image')
    with pytest.raises(DataError, match=r'2 of 18 images .*\n.*blue/5\.png.*\n.*red/0\.png'):
        ImageFolderDataset(folder, 'train', check_images=True)
    dataset = ImageFolderDataset(folder, 'train', pipeline=TRAIN_PIPELINE)
    assert dataset[4]['inputs'].shape == (3, 8, 12)
    with pytest.raises(DataError, match=r"Cannot read image '.*blue/5\.png'"):
        dataset[5]


def test_a_sample_is_a_function_of_seed_draw_and_index(class_photos):
    def view(index, draw, seed=1):
        dataset = ImageFolderDataset(class_photos, 'train', pipeline=TRAIN_PIPELINE, seed=seed)
        return dataset[SampleIndex(index, draw)]['inputs'].numpy()

    first = view(3, draw=5)
    np.random.seed(9)
    np.testing.assert_array_equal(view(3, draw=5), first)
    for other in (view(3, draw=6), view(3, draw=5, seed=2)):
        assert np.abs(other - first).mean() > 1
