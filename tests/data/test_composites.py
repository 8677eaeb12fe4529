from __future__ import annotations

import json

import numpy as np
import pytest

from sod_plugins.data import (
    CutOut,
    DataError,
    compose,
    cut_out,
    find_pairs,
    read_image,
    read_instances,
    save_png,
    write_composites,
)

GREY = np.full((60, 80, 3), 90, np.uint8)


def box_mask(*boxes, shape=(60, 80)):
    """A mask (H, W) with boxes of (top, bottom, left, right)."""
    mask = np.zeros(shape, np.float32)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = 1
    return mask


def disks(count, colour=(250, 10, 20)):
    """Cut-outs of one colour whose coverage is a disk of 21 pixels."""
    rows, columns = np.mgrid[-10:11, -10:11]
    coverage = (rows**2 + columns**2 <= 100).astype(np.float32)
    return [CutOut(np.full((21, 21, 3), colour, np.uint8), coverage)] * count


def test_an_object_is_cut_out_with_its_box_and_soft_edge():
    mask = box_mask((10, 30, 20, 60))
    mask[9, 20:60] = 0.6
    mask[50, 70] = 1  # a stray pixel is no second object
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    item = cut_out(image, mask)
    np.testing.assert_array_equal(item.pixels, image[9:30, 20:60])
    np.testing.assert_array_equal(item.coverage, mask[9:30, 20:60])


@pytest.mark.parametrize(
    'mask',
    [
        box_mask(),
        box_mask((5, 20, 5, 20), (30, 45, 40, 60)),  # two
        box_mask((5, 9, 5, 9)),  # tiny
        box_mask((1, 59, 1, 79)),  # nearly all of the photo
        box_mask((0, 30, 0, 40)),  # cut off at two sides
    ],
)
def test_what_is_not_one_whole_object_is_not_cut_out(mask):
    assert cut_out(GREY, mask) is None


def test_pasted_pixels_belong_to_the_last_object_there():
    ground = box_mask((20, 45, 25, 60))
    hidden = 0
    for seed in range(60):
        colours = ((250, 0, 0), (0, 250, 0), (0, 0, 250))
        items = [item for colour in colours for item in disks(1, colour)]
        scene = compose(GREY, ground, items, np.random.default_rng(seed))
        count = scene.instances.max()
        assert sorted(np.unique(scene.instances[scene.instances > 0])) == list(range(1, count + 1))
        for number in range(1, count + 1):
            visible = scene.instances == number
            assert visible.sum() >= 0.01 * visible.size
            if number > 1:  # one strong channel, two of none, wherever the object is not soft
                levels = np.sort(scene.image[visible].astype(int), axis=1)
                assert np.median(levels[:, 2]) >= 190 and np.median(levels[:, 0]) <= 20
        assert (scene.instances == 1).sum() >= 0.4 * ground.sum()
        assert ((scene.mask > 127) == (scene.instances > 0)).mean() > 0.995
        untouched = scene.mask == 0
        np.testing.assert_array_equal(scene.image[untouched], GREY[untouched])
        hidden += (scene.instances == 1).sum() < ground.sum()
    assert hidden > 20  # occlusion is common


def test_the_photo_s_own_object_is_the_first_instance_and_stays_whole_alone():
    ground = box_mask((20, 45, 25, 60))
    scene = compose(GREY, ground, [], np.random.default_rng(0))
    np.testing.assert_array_equal(scene.instances, ground.astype(int))
    np.testing.assert_array_equal(scene.image, GREY)


def test_a_photo_with_several_objects_is_no_ground():
    several = box_mask((5, 20, 5, 20), (30, 45, 40, 60))
    assert compose(GREY, several, disks(1), np.random.default_rng(0)) is None


@pytest.fixture
def photos(tmp_path):
    """A data set of ten photos, each of which shows one box, but for one with two."""
    rng = np.random.default_rng(0)
    for i in range(10):
        top, left = 5 + 2 * i, 8 + 3 * i
        mask = box_mask((top, top + 20, left, left + 25))
        if i == 4:
            mask = box_mask((5, 20, 5, 20), (30, 45, 40, 60))
        image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        save_png(tmp_path / 'photos/images' / f'{i}.png', image)
        save_png(tmp_path / 'photos/masks' / f'{i}.png', (255 * mask).astype(np.uint8))
    return find_pairs(tmp_path / 'photos')


def test_composites_are_written_once_and_are_a_function_of_their_arguments(photos, tmp_path):
    first = write_composites(tmp_path / 'a', photos, 6, seed=3)
    second = write_composites(tmp_path / 'b', photos, 4, seed=3)
    annotations = read_instances(first / 'annotations.json', first / 'images')
    assert len(annotations['images']) == 6
    counts = [0] * 6
    for annotation in annotations['annotations']:
        counts[annotation['image_id']] += 1
    assert min(counts) >= 1 and max(counts) >= 3
    for i in range(4):  # a smaller set is the beginning of a larger one
        pictures = [read_image(folder / f'images/{i:06d}.jpg') for folder in (first, second)]
        np.testing.assert_array_equal(*pictures)
    before = (first / 'annotations.json').stat().st_mtime_ns
    write_composites(tmp_path / 'a', photos, 6, seed=3)
    assert (first / 'annotations.json').stat().st_mtime_ns == before
    assert json.loads((first / 'manifest.json').read_text())['photos'] == 10
    with pytest.raises(DataError, match='seed 3 instead of 4'):
        write_composites(tmp_path / 'a', photos, 6, seed=4)


def test_photos_without_objects_are_refused(photos, tmp_path):
    several = [pair for pair in photos if pair.stem == '4']
    with pytest.raises(DataError, match='Of 200 photos 0 show one sizeable object'):
        write_composites(tmp_path / 'a', several, 1)
    with pytest.raises(DataError, match='most_pasted is -1'):
        write_composites(tmp_path / 'a', photos, 1, most_pasted=-1)


def test_without_pasted_objects_images_keep_their_one_object(photos, tmp_path):
    folder = write_composites(tmp_path / 'a', photos, 6, most_pasted=0)
    boxes = [entry['bbox'] for entry in read_instances(folder / 'annotations.json')['annotations']]
    assert len(boxes) == 6 and len(set(map(tuple, boxes))) > 1
    originals = [[8 + 3 * i, 5 + 2 * i, 25, 20] for i in range(10) if i != 4]
    assert all(box in originals for box in boxes)
