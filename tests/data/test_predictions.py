from __future__ import annotations

from pathlib import Path

import pytest

from sod_plugins.data import DataError, find_scored_pairs
from sod_plugins.data.name_patterns import fitting_affixes


def touch(root: Path, *names: str) -> None:
    """Create empty files: pairing looks at names alone."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def names(root: Path, **options: str) -> list[tuple[str, str, str]]:
    pairs = find_scored_pairs(root / 'maps', root / 'truth', **options)
    return [
        (stem, *(path.relative_to(root).as_posix() for path in paths)) for stem, *paths in pairs
    ]


def test_stems_pair_whatever_the_extension(tmp_path):
    touch(tmp_path, 'maps/b.png', 'maps/a.jpg', 'truth/a.bmp', 'truth/b.png')
    assert names(tmp_path) == [
        ('a', 'maps/a.jpg', 'truth/a.bmp'),
        ('b', 'maps/b.png', 'truth/b.png'),
    ]


@pytest.mark.parametrize(
    ('maps', 'masks', 'hint', 'options'),
    [
        ('{}_sal.png', '{}.png', "--pred-suffix '_sal'", {'pred_suffix': '_sal'}),
        ('{}.jpg.png', '{}.png', "--pred-suffix '.jpg'", {'pred_suffix': '.jpg'}),
        (
            'net-{}-x2.png',
            '{}.png',
            "--pred-prefix 'net-' --pred-suffix '-x2'",
            {'pred_prefix': 'net-', 'pred_suffix': '-x2'},
        ),
        ('{}.png', 'gt_{}.png', "--mask-prefix 'gt_'", {'mask_prefix': 'gt_'}),
    ],
)
@pytest.mark.parametrize('listed', [False, True])
def test_unpaired_names_are_told_what_would_pair_them(tmp_path, maps, masks, hint, options, listed):
    stems = ('img0', 'img1', 'img10')
    for stem in stems:
        touch(tmp_path, f'maps/{maps.format(stem)}', f'truth/{masks.format(stem)}')
    (tmp_path / 'list.txt').write_text('\n'.join(stems))
    selected = {'list_file': tmp_path / 'list.txt'} if listed else {}
    with pytest.raises(DataError) as caught:
        names(tmp_path, **selected)
    assert str(caught.value).endswith(f' Or give {hint}, which fits these names.')
    assert [stem for stem, *_ in names(tmp_path, **selected, **options)] == list(stems)


def test_nothing_is_proposed_where_nothing_fits(tmp_path):
    touch(tmp_path, 'maps/a.png', 'maps/b.png', 'truth/a.png', 'truth/c.png')
    with pytest.raises(DataError, match=r'in a list file\.$') as caught:
        names(tmp_path)
    assert f'masks without prediction: {tmp_path}/truth/c.png' in str(caught.value)
    assert f'predictions without mask: {tmp_path}/maps/b.png' in str(caught.value)
    with pytest.raises(DataError, match=r"No prediction .*'<stem>_x'\. Correct pred_prefix"):
        names(tmp_path, pred_suffix='_x')


def test_affixes_that_pair_less_than_half_are_no_proposal():
    assert fitting_affixes(['a_s', 'b_s', 'x', 'y'], ['a', 'b']) == ('', '_s')
    assert fitting_affixes(['a_s', 'x', 'y', 'z'], ['a', 'b']) is None
    assert fitting_affixes([], ['a']) is None


def test_masks_are_found_as_the_data_set_has_them(tmp_path):
    """Where `data check` takes a set, so does the evaluation."""
    touch(tmp_path, 'maps/1.png', 'maps/2.png')
    touch(tmp_path, 'truth/DUTS-TE-Image/1.jpg', 'truth/DUTS-TE-Image/2.jpg')
    touch(tmp_path, 'truth/DUTS-TE-Mask/1.png', 'truth/DUTS-TE-Mask/2.png')
    assert [mask for *_, mask in names(tmp_path)] == [
        'truth/DUTS-TE-Mask/1.png',
        'truth/DUTS-TE-Mask/2.png',
    ]


@pytest.mark.parametrize('folder', ['Imgs', ''])
def test_photos_of_equal_names_are_no_masks(tmp_path, folder):
    touch(tmp_path, 'maps/1.png', 'maps/2.png')
    touch(tmp_path / 'truth' / folder, '1.jpg', '1.png', '2.jpg', '2.png')
    assert [mask for *_, mask in names(tmp_path)] == [
        (Path('truth') / folder / name).as_posix() for name in ('1.png', '2.png')
    ]


def test_a_list_may_name_the_masks_among_photos(tmp_path):
    touch(tmp_path, 'maps/1.png', 'maps/3.png')
    touch(tmp_path, 'truth/1.jpg', 'truth/1_gt.png', 'truth/2.jpg', 'truth/2_gt.png')
    expected = [('1', 'maps/1.png', 'truth/1_gt.png')]
    # The paths start at the data set or at the list.
    for list_file, line in (
        (tmp_path / 'list.txt', 'truth/1.jpg truth/1_gt.png'),
        (tmp_path / 'truth' / 'list.txt', '1.jpg 1_gt.png'),
    ):
        list_file.write_text(f'{line}\n')
        assert names(tmp_path, list_file=list_file) == expected
    assert names(tmp_path, list_file='list.txt') == expected  # below the data set


def test_a_list_of_images_elsewhere_selects_by_stem(tmp_path):
    touch(tmp_path, 'maps/1.png', 'maps/2.png', 'truth/1.png', 'truth/2.png')
    (tmp_path / 'list.txt').write_text('photos/2.jpg masks/2.png\n')
    assert [stem for stem, *_ in names(tmp_path, list_file=tmp_path / 'list.txt')] == ['2']
