from __future__ import annotations

from pathlib import Path

import pytest

from sod_plugins.data import LAYOUTS, DataError, find_pairs


def touch(root: Path, *names: str) -> None:
    """Create empty files: pairing looks at names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(('images', 'masks'), LAYOUTS)
def test_each_known_layout_is_recognised(tmp_path, images, masks):
    touch(tmp_path, f'{images}/b.jpg', f'{images}/a.jpg', f'{masks}/a.png', f'{masks}/b.png')
    pairs = find_pairs(tmp_path)
    assert [pair.stem for pair in pairs] == ['a', 'b']
    assert pairs[0].image == tmp_path / images / 'a.jpg'
    assert pairs[0].mask == tmp_path / masks / 'a.png'


def test_layouts_of_the_field_are_known():
    assert {
        ('DUTS-TR/DUTS-TR-Image', 'DUTS-TR/DUTS-TR-Mask'),
        ('images', 'masks'),
        ('Image', 'Mask'),
        ('imgs', 'gt'),
        ('im', 'gt'),
        ('images', 'GT'),
        ('images', 'ground_truth_mask'),
    } <= set(LAYOUTS)


def test_extensions_mix_and_other_files_are_left_out(tmp_path):
    touch(tmp_path, 'images/a.JPG', 'images/b.png', 'images/c.v2.jpeg', 'images/.hidden.jpg')
    touch(tmp_path, 'images/Thumbs.db', 'images/more/d.jpg')
    touch(tmp_path, 'masks/a.png', 'masks/b.bmp', 'masks/c.v2.png', 'masks/._a.png')
    assert [pair.stem for pair in find_pairs(tmp_path)] == ['a', 'b', 'c.v2']


def test_prefixes_and_suffixes_are_no_part_of_the_stem(tmp_path):
    touch(tmp_path, 'x/im_1_rgb.jpg', 'x/im_2_rgb.jpg', 'y/gt_1_sal.png', 'y/gt_2_sal.png')
    pairs = find_pairs(
        image_dir=tmp_path / 'x',
        mask_dir=tmp_path / 'y',
        image_prefix='im_',
        image_suffix='_rgb',
        mask_prefix='gt_',
        mask_suffix='_sal',
    )
    assert [(p.stem, p.image.name, p.mask.name) for p in pairs] == [
        ('1', 'im_1_rgb.jpg', 'gt_1_sal.png'),
        ('2', 'im_2_rgb.jpg', 'gt_2_sal.png'),
    ]


def test_images_and_masks_in_one_folder(tmp_path):
    touch(tmp_path, 'all/1.jpg', 'all/1_mask.png')
    folders = {'image_dir': 'all', 'mask_dir': 'all'}
    (pair,) = find_pairs(tmp_path, **folders, mask_suffix='_mask')
    assert (pair.image.name, pair.mask.name) == ('1.jpg', '1_mask.png')
    with pytest.raises(DataError, match='holds both images and masks'):
        find_pairs(tmp_path, **folders)


@pytest.mark.parametrize('folder', ['Imgs', ''])
def test_photos_and_masks_of_equal_names_are_told_apart_by_their_format(tmp_path, folder):
    touch(tmp_path / folder, '1.jpg', '1.png', '2.JPEG', '2.bmp')
    assert [(pair.image.name, pair.mask.name) for pair in find_pairs(tmp_path)] == [
        ('1.jpg', '1.png'),
        ('2.JPEG', '2.bmp'),
    ]
    touch(tmp_path / folder, '3.jpg', '4.png')
    with pytest.raises(DataError, match=r'without mask: \S*3\.jpg; masks without image: \S*4\.png'):
        find_pairs(tmp_path)


def test_a_mask_suffix_tells_masks_from_photos_beside_them(tmp_path):
    touch(tmp_path, '1.jpg', '1_gt.png', '2.png', '2_gt.png')
    assert [(pair.stem, pair.image.name) for pair in find_pairs(tmp_path, mask_suffix='_gt')] == [
        ('1', '1.jpg'),
        ('2', '2.png'),
    ]
    with pytest.raises(DataError, match='No known layout'):
        find_pairs(tmp_path)


def test_paths_in_a_list_may_start_where_it_lies(tmp_path):
    touch(tmp_path, 'set/1.jpg', 'set/1_gt.png')
    (tmp_path / 'list.txt').write_text('set/1.jpg set/1_gt.png\n')
    (pair,) = find_pairs(tmp_path / 'set', list_file=tmp_path / 'list.txt')
    assert pair.mask == tmp_path / 'set' / '1_gt.png'
    (tmp_path / 'list.txt').write_text('set/1.jpg set/2_gt.png\n')
    with pytest.raises(DataError, match=rf'do not exist: {tmp_path}/set/set/1\.jpg'):
        find_pairs(tmp_path / 'set', list_file=tmp_path / 'list.txt')


def test_missing_partners_are_listed_in_both_directions(tmp_path):
    touch(tmp_path, 'images/a.jpg', 'images/b.jpg', 'masks/b.png', 'masks/c.png')
    with pytest.raises(DataError) as caught:
        find_pairs(tmp_path)
    text = str(caught.value)
    assert f'images without mask: {tmp_path}/images/a.jpg' in text
    assert f'masks without image: {tmp_path}/masks/c.png' in text
    assert 'b.' not in text.split('Add or remove')[0]


def test_masks_are_optional_on_request(tmp_path):
    touch(tmp_path, 'set/images/a.jpg', 'set/images/b.jpg', 'set/masks/b.png', 'photos/c.jpg')
    masks = [
        pair.mask and pair.mask.name for pair in find_pairs(tmp_path / 'set', require_masks=False)
    ]
    assert masks == [None, 'b.png']
    (pair,) = find_pairs(tmp_path / 'photos', require_masks=False)
    assert (pair.stem, pair.mask) == ('c', None)


@pytest.mark.parametrize(
    ('role', 'first', 'second'),
    [('images', 'images/a.jpg', 'images/a.png'), ('masks', 'masks/a.png', 'masks/a.bmp')],
)
def test_equal_stems_are_refused(tmp_path, role, first, second):
    touch(tmp_path, 'images/a.jpg', 'masks/a.png', first, second)
    with pytest.raises(DataError, match=f'Several {role} have the same stem') as caught:
        find_pairs(tmp_path)
    assert first in str(caught.value)
    assert second in str(caught.value)


def test_several_layouts_are_named(tmp_path):
    touch(tmp_path, 'images/a.jpg', 'masks/a.png', 'GT/a.png')
    with pytest.raises(DataError) as caught:
        find_pairs(tmp_path)
    assert f"Several layouts fit '{tmp_path}'" in str(caught.value)
    assert "'images' + 'masks', 'images' + 'GT'" in str(caught.value)
    assert find_pairs(tmp_path, image_dir='images', mask_dir='GT')[0].mask.parent.name == 'GT'


def test_no_layout_names_the_known_ones(tmp_path):
    touch(tmp_path, 'left/a.jpg', 'right/a.png')
    with pytest.raises(DataError, match=r'No known layout in .* image_dir .* imgs \+ gt'):
        find_pairs(tmp_path)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(DataError, match=f"data set folder '{tmp_path}/no' does not exist"):
        find_pairs(tmp_path / 'no')
    touch(tmp_path, 'images/a.jpg', 'masks/readme.txt')
    with pytest.raises(DataError, match=f"mask folder '{tmp_path}/masks' holds no image files"):
        find_pairs(tmp_path)
    with pytest.raises(DataError, match=f"mask folder '{tmp_path}/gone' does not exist"):
        find_pairs(tmp_path, image_dir='images', mask_dir='gone')
    with pytest.raises(DataError, match='is not a folder'):
        find_pairs(tmp_path / 'images' / 'a.jpg')


def test_names_that_lack_the_suffix(tmp_path):
    touch(tmp_path, 'images/a.jpg', 'masks/a.png')
    with pytest.raises(DataError, match=r"form '<stem>_gt'\. Correct mask_prefix and mask_suffix"):
        find_pairs(tmp_path, mask_suffix='_gt')


def test_half_named_folders(tmp_path):
    with pytest.raises(DataError, match="image_dir 'x' was given alone"):
        find_pairs(image_dir='x')
    with pytest.raises(DataError, match="mask_dir 'y' was given alone"):
        find_pairs(mask_dir='y')
    with pytest.raises(DataError, match='No data was named'):
        find_pairs()


@pytest.fixture
def listed(tmp_path):
    touch(tmp_path, *[f'images/{stem}.jpg' for stem in 'abc'], 'images/d e.jpg')
    touch(tmp_path, *[f'masks/{stem}.png' for stem in 'abc'], 'masks/d e.png')
    return tmp_path


@pytest.mark.parametrize(
    'lines',
    [
        'c\na\n\nd e\n',
        'images/c.jpg\nimages/a.jpg\nimages/d e.jpg',
        'c.jpg\r\na.jpg\r\nd e.jpg\r\n',
        'images/c.jpg\tmasks/c.png\nimages/a.jpg masks/a.png\nimages/d e.jpg\tmasks/d e.png',
    ],
)
def test_lists_select_by_stem_path_name_or_pair(listed, lines):
    (listed / 'train.txt').write_text(lines, newline='')
    for pairs in (
        find_pairs(listed, list_file='train.txt'),
        find_pairs(list_file=listed / 'train.txt'),
    ):
        assert [pair.stem for pair in pairs] == ['a', 'c', 'd e']
        assert pairs[2].mask == listed / 'masks/d e.png'


def test_list_of_pairs_starts_at_the_given_folders(listed):
    (listed / 'list.txt').write_text('a.jpg a.png\n')
    (pair,) = find_pairs(
        image_dir=listed / 'images', mask_dir=listed / 'masks', list_file=listed / 'list.txt'
    )
    assert pair.mask == listed / 'masks/a.png'


@pytest.mark.parametrize(
    ('lines', 'message'),
    [
        ('a\nx\ny\n', r'names images that do not exist: x, y\.'),
        ('a\nelsewhere/b.jpg\n', r'names images that do not exist: elsewhere/b\.jpg'),
        ('a\nb\na\n', 'names twice: a'),
        ('a\nimages/a.jpg\n', 'names twice: a'),
        ('\n', 'is empty'),
        ('images/a.jpg masks/b2.png\n', r'names files that do not exist: .*masks/b2\.png'),
        ('images/a.jpg masks/a.png\nb\n', 'names masks in some lines only'),
        ('a\tb\tc\n', 'more than an image and a mask: a b c'),
        ('images/a.jpg masks/a.png\nimages/a.jpg masks/b.png\n', 'images have the same stem'),
    ],
)
def test_wrong_lists_are_refused(listed, lines, message):
    path = listed / 'list.txt'
    path.write_text(lines)
    with pytest.raises(DataError, match=message):
        find_pairs(listed, list_file='list.txt')


def test_missing_list(listed):
    with pytest.raises(DataError, match=r"Cannot read the list 'gone\.txt'"):
        find_pairs(listed, list_file='gone.txt')


def test_listed_image_without_mask(listed):
    touch(listed, 'images/z.jpg')
    (listed / 'list.txt').write_text('a\nz\n')
    with pytest.raises(DataError, match=r'images without mask: .*z\.jpg'):
        find_pairs(listed, list_file='list.txt')


@pytest.mark.shared_data
def test_real_lists(msra10k):
    stems = [
        {pair.stem for pair in find_pairs(msra10k, list_file=f'{name}.txt')}
        for name in ('train', 'val', 'test')
    ]
    assert [len(part) for part in stems] == [7000, 1500, 1500]
    assert len(set.union(*stems)) == 10000
