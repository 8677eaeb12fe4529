from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from sod_plugins.inference import OutputOptions, SaliencyPredictor, collect_images, predict_files
from sod_plugins.networks import Preprocessing


class Inverse:
    """Stands for a CRF: turns the map about, and checks that it comes with its photo."""

    def refine(self, image, saliency):
        assert image.shape == (*saliency.shape, 3)
        return 1 - saliency


class Red(nn.Module):
    """Logits are the red channel; counts its calls."""

    def __init__(self):
        super().__init__()
        self.preprocessing = Preprocessing(size=(8, 8))
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return images[:, :1]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    (folder / 'deeper').mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ('b.jpg', 'a.PNG', 'c[1].bmp', 'deeper/d.png'):
        Image.fromarray(rng.integers(0, 256, (10, 14, 3), dtype=np.uint8)).save(folder / name)
    (folder / '._b.jpg').write_bytes(b'resource fork')
    (folder / 'notes.txt').write_text('no image')
    return folder


def pictures_in(folder):
    """The files of a folder but the record of the run."""
    return sorted(p for p in folder.iterdir() if p.is_file() and p.suffix != '.json')


def names(paths):
    return [path.name for path in paths]


def run(paths, out, network=None, **options):
    options = {'device': 'cpu', 'progress': False, **options}
    return predict_files(
        [paths] if isinstance(paths, (str, Path)) else paths, out, network or Red(), **options
    )


def test_folder_means_its_images_without_subfolders(photos):
    assert names(collect_images([photos])) == ['a.PNG', 'b.jpg', 'c[1].bmp']


def test_patterns_reach_deeper_and_named_files_are_taken_as_they_are(photos):
    assert names(collect_images([f'{photos}/**/*.png'])) == ['d.png']
    assert names(collect_images([photos / 'c[1].bmp', photos / 'notes.txt'])) == [
        'c[1].bmp',
        'notes.txt',
    ]
    assert names(collect_images([photos / 'b.jpg', photos])) == ['b.jpg', 'a.PNG', 'c[1].bmp']


def test_absent_paths_are_refused(photos, tmp_path):
    (tmp_path / 'empty').mkdir()
    for path, reason in (
        (photos / 'x.jpg', 'is no file, folder or pattern'),
        (photos / '*.gif', 'matches no image'),
        (tmp_path / 'empty', 'has no image in it'),
    ):
        with pytest.raises(FileNotFoundError, match=re.escape(f"'{path}' {reason}")):
            collect_images([photos, path])


def test_all_pictures_are_written_at_the_images_size(photos, tmp_path):
    out = tmp_path / 'out'
    summary = run(photos, out, cutout=True, overlay=True)
    assert names(summary.written) == ['a.PNG', 'b.jpg', 'c[1].bmp']
    stems = {'a.png', 'b.png', 'c[1].png'}
    for folder, mode in ((out, 'L'), (out / 'cutout', 'RGBA'), (out / 'overlay', 'RGB')):
        files = {path.name: path for path in pictures_in(folder)}
        end = '.jpg' if folder.name == 'overlay' else '.png'
        assert set(files) == {stem.replace('.png', end) for stem in stems}
        for path in files.values():
            with Image.open(path) as saved:
                assert (saved.mode, saved.size) == (mode, (14, 10))
    expected = SaliencyPredictor(Red(), device='cpu').predict(photos / 'a.PNG')
    with Image.open(out / 'a.png') as saved:
        np.testing.assert_array_equal(np.asarray(saved), np.floor(expected * np.float32(255)))


def test_only_the_asked_pictures_are_written(photos, tmp_path):
    run(photos / 'b.jpg', tmp_path / 'out')
    assert names(sorted((tmp_path / 'out').rglob('*'))) == ['b.png', 'sod-predict.json']


def test_every_picture_is_of_the_refined_map(photos, tmp_path):
    summary = run(photos / 'a.PNG', tmp_path, crf=Inverse(), cutout=True, overlay=True)
    assert summary.crf_seconds > 0
    refined = 1 - SaliencyPredictor(Red(), device='cpu').predict(photos / 'a.PNG')
    expected = np.floor(refined * np.float32(255))
    pictures = {name: np.asarray(Image.open(tmp_path / f'{name}a.png')) for name in ('', 'cutout/')}
    np.testing.assert_array_equal(pictures[''], expected)
    alpha = np.clip(2 * expected - 127, 0, 255)
    np.testing.assert_array_equal(pictures['cutout/'][..., 3], alpha)
    plain = tmp_path / 'plain'
    assert run(photos / 'a.PNG', plain, overlay=True).crf_seconds == 0
    overlays = (folder / 'overlay' / 'a.jpg' for folder in (tmp_path, plain))
    assert len({path.read_bytes() for path in overlays}) == 2


def test_what_is_done_is_skipped(photos, tmp_path):
    out, network = tmp_path / 'out', Red()
    run(photos / 'b.jpg', out, network)
    (out / 'b.png').write_bytes(b'mine')
    summary = run(photos, out, network)
    assert (names(summary.skipped), names(summary.written)) == (['b.jpg'], ['a.PNG', 'c[1].bmp'])
    assert (out / 'b.png').read_bytes() == b'mine'
    assert network.calls == 3
    summary = run(photos, out, network, overwrite=True)
    assert (len(summary.written), len(summary.skipped)) == (3, 0)
    assert (out / 'b.png').read_bytes() != b'mine'


def test_done_means_all_asked_pictures(photos, tmp_path):
    out = tmp_path / 'out'
    run(photos, out)
    assert len(run(photos, out, overlay=True).written) == 3
    assert len(run(photos, out, overlay=True).skipped) == 3
    assert len(run(photos, out, overlay=True, cutout=True).written) == 3


def test_interrupted_run_goes_on(photos, tmp_path, monkeypatch):
    """The second map is cut off half-way: it must not count as done."""
    out, calls = tmp_path / 'out', []

    def interrupted(descriptor):
        calls.append(descriptor)
        if len(calls) == 3:  # after the record of the run and the first map
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, 'fsync', interrupted)
        run(photos, out, workers=0)
    assert [path.name for path in out.glob('*.png')] == ['a.png']
    summary = run(photos, out)
    assert (names(summary.skipped), names(summary.written)) == (['a.PNG'], ['b.jpg', 'c[1].bmp'])
    assert names(pictures_in(out)) == ['a.png', 'b.png', 'c[1].png']
    for path in pictures_in(out):
        with Image.open(path) as saved:
            saved.load()


def test_unreadable_images_cost_nothing_else(photos, tmp_path):
    truncated = (photos / 'b.jpg').read_bytes()[:200]
    (photos / 'b.jpg').write_bytes(truncated)
    (photos / 'zero.png').write_bytes(b'')
    summary = run(photos, tmp_path / 'out')
    assert names(summary.unreadable) == ['b.jpg', 'zero.png']
    assert all(path.name in reason for path, reason in summary.unreadable.items())
    assert names(pictures_in(tmp_path / 'out')) == ['a.png', 'c[1].png']


def test_equal_stems_of_a_folder_keep_their_whole_names(photos, tmp_path):
    Image.new('RGB', (4, 4), (250, 0, 0)).save(photos / 'b.png')
    out = tmp_path / 'out'
    run(photos, out, overlay=True)
    maps = ['a.png', 'b.jpg.png', 'b.png.png', 'c[1].png']
    overlays = (f'overlay/{name.removesuffix(".png")}.jpg' for name in maps)
    assert tree(out) == sorted([*maps, *overlays])
    for name in ('b.jpg', 'b.png'):
        expected = SaliencyPredictor(Red(), device='cpu').predict(photos / name)
        with Image.open(out / f'{name}.png') as saved:
            np.testing.assert_array_equal(np.asarray(saved), np.floor(expected * np.float32(255)))
    assert len(run(photos, out, overlay=True).skipped) == 4


@pytest.mark.parametrize('recursive', [False, True])
def test_photos_among_their_masks_are_refused_before_work(tmp_path, recursive):
    (tmp_path / 'Imgs').mkdir()
    for name in ('1.jpg', '1.png', '2.jpg', '2.png'):
        Image.new('L', (4, 4)).save(tmp_path / 'Imgs' / name)
    network, out = Red(), tmp_path / 'out'
    with pytest.raises(ValueError, match=r"with masks\. Name only the photos: '.*/Imgs/\*\.jpg'"):
        run(tmp_path / 'Imgs', out, network, recursive=recursive)
    assert (network.calls, out.exists()) == (0, False)
    assert len(run(f'{tmp_path}/Imgs/*.jpg', out).written) == 2
    assert names(pictures_in(out)) == ['1.png', '2.png']


def test_images_are_never_overwritten(photos):
    before = (photos / 'deeper/d.png').read_bytes()
    with pytest.raises(ValueError, match=r"would overwrite the image '.*d\.png'"):
        run(photos / 'deeper', photos / 'deeper', overwrite=True)
    assert (photos / 'deeper/d.png').read_bytes() == before


def test_output_folder_that_cannot_be_made_is_refused_before_work(photos, tmp_path):
    network = Red()
    (tmp_path / 'file').touch()
    with pytest.raises(NotADirectoryError, match="file' is a file"):
        run(photos, tmp_path / 'file' / 'maps', network)
    assert network.calls == 0


def test_unreadable_checkpoint_is_refused_before_work(photos, tmp_path):
    (tmp_path / 'broken.pth').write_bytes(b'no checkpoint')
    with pytest.raises(ValueError, match=r'broken\.pth'):
        run(photos, tmp_path / 'out', tmp_path / 'broken.pth')
    torch.save([1, 2], tmp_path / 'list.pth')
    with pytest.raises(ValueError, match=r'list\.pth'):
        run(photos, tmp_path / 'out', tmp_path / 'list.pth')
    assert not (tmp_path / 'out').exists()


# --- folders kept, folders that hold their own predictions, formats that are not read ---


@pytest.fixture
def shoots(tmp_path):
    """Equal stems in subfolders."""
    for number, name in enumerate(('a/1.jpg', 'b/1.jpg', 'b/deep/1.png', '.hidden/1.jpg')):
        path = tmp_path / 'shoots' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (9, 7), (40 * number, 9, 9)).save(path)
    return tmp_path / 'shoots'


def tree(folder):
    paths = (p for p in folder.rglob('*') if p.is_file() and p.name != 'sod-predict.json')
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def test_recursion_keeps_the_folders(shoots, tmp_path):
    out = tmp_path / 'out'
    run(shoots, out, recursive=True, overlay=True)
    maps = ['a/1.png', 'b/1.png', 'b/deep/1.png']
    overlays = (f'overlay/{name.removesuffix(".png")}.jpg' for name in maps)
    assert tree(out) == sorted([*maps, *overlays])
    assert len(run(shoots, out, recursive=True, overlay=True).skipped) == 3
    for name in maps:
        source = next((shoots / name).parent.glob('1.*'))
        expected = SaliencyPredictor(Red(), device='cpu').predict(source)
        with Image.open(out / name) as saved:
            np.testing.assert_array_equal(np.asarray(saved), np.floor(expected * np.float32(255)))


@pytest.mark.parametrize(
    ('paths', 'expected'),
    [
        (['{}/**/*.jpg'], ['a/1.png', 'b/1.png']),
        (['{}/a/1.jpg', '{}/b/1.jpg'], ['a/1.png', 'b/1.png']),
        (['{}/b/*/*.png', '{}/b/1.jpg'], ['1.png', 'deep/1.png']),
    ],
)
def test_recursion_keeps_the_folders_of_patterns_and_files(shoots, tmp_path, paths, expected):
    run([path.format(shoots) for path in paths], tmp_path / 'out', recursive=True)
    assert tree(tmp_path / 'out') == expected


def test_equal_stems_name_the_option_that_keeps_folders(shoots, tmp_path):
    with pytest.raises(ValueError, match=r'under one name, .* --recursive'):
        run(f'{shoots}/**/*.jpg', tmp_path / 'out')


def test_a_map_and_a_cutout_of_one_name_are_refused(tmp_path):
    for name in ('cutout/1.jpg', '1.jpg'):
        (tmp_path / 'in' / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (4, 4)).save(tmp_path / 'in' / name)
    with pytest.raises(ValueError, match='under one name'):
        run(tmp_path / 'in', tmp_path / 'out', recursive=True, cutout=True)


@pytest.mark.parametrize('recursive', [False, True])
def test_predicting_into_the_photos_own_folder_twice(photos, recursive):
    (photos / 'a.PNG').unlink()  # a PNG's map would replace it
    (photos / 'deeper' / 'd.png').unlink()
    options = {'cutout': True, 'overlay': True, 'recursive': recursive}
    assert names(run(photos, photos, **options).written) == ['b.jpg', 'c[1].bmp']
    before = tree(photos)
    summary = run(photos, photos, **options)
    assert names(summary.skipped) == ['b.jpg', 'c[1].bmp']
    assert len(summary.earlier) == (6 if recursive else 2)
    assert not summary.written and tree(photos) == before


def test_a_photo_beside_a_photo_is_never_taken_for_a_map(photos):
    Image.new('RGB', (4, 4)).save(photos / 'b.png')
    before = (photos / 'b.png').read_bytes()
    assert names(run(photos, photos).written) == ['a.PNG', 'b.jpg', 'b.png', 'c[1].bmp']
    assert (photos / 'b.png').read_bytes() == before
    assert {'b.jpg.png', 'b.png.png'} <= {path.name for path in photos.iterdir()}


def test_images_of_formats_that_are_not_read_are_named(photos, tmp_path):
    for name in ('x.eps', 'y.nef', 'z.emf'):
        (photos / name).write_bytes(b'%!PS-Adobe')
    summary = run(photos, tmp_path / 'out')
    assert names(summary.written) == ['a.PNG', 'b.jpg', 'c[1].bmp']
    assert names(summary.unreadable) == ['x.eps', 'y.nef', 'z.emf']
    assert 'EPS is left out' in summary.unreadable[photos / 'x.eps']
    with pytest.raises(FileNotFoundError, match=r"but '.*x\.eps' \(EPS is left out"):
        collect_images([f'{photos}/x.*'])


@pytest.mark.parametrize('name', ['e.jfif', 'e.jpe', 'e.tga', 'e.jp2', 'e.mpo', 'e.avif'])
def test_folders_hold_every_format_that_pillow_reads(tmp_path, name):
    (tmp_path / 'in').mkdir()
    try:
        Image.new('RGB', (20, 10)).save(tmp_path / 'in' / name)
    except (ValueError, KeyError):
        pytest.skip('this Pillow lacks the format')
    assert names(run(tmp_path / 'in', tmp_path / 'out').written) == [name]


def test_cutouts_multiply_alpha_and_keep_profile_and_resolution(tmp_path):
    rgba = np.full((6, 8, 4), 200, np.uint8)
    rgba[:, :4, 3] = 0
    path = tmp_path / 'in.png'
    Image.fromarray(rgba).save(path, dpi=(300, 300), icc_profile=bytes(16) + b'RGB ' + bytes(108))
    options = OutputOptions(format='png')
    run(path, tmp_path / 'out', cutout=True, overlay=True, options=options)
    for kind in ('cutout', 'overlay'):
        with Image.open(tmp_path / 'out' / kind / 'in.png') as saved:
            assert not np.asarray(saved)[:, :4].any()
            assert np.asarray(saved)[:, 4:, 3].all()
            assert saved.info['dpi'] == pytest.approx((300, 300), abs=0.013)
            assert saved.info['icc_profile'][16:20] == b'RGB '


@pytest.mark.parametrize(('exif', 'size'), [('apply', (7, 9)), ('ignore', (9, 7))])
def test_orientation_is_the_users_choice(tmp_path, exif, size):
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.new('RGB', (9, 7)).save(tmp_path / 'in.jpg', exif=tags)
    run(tmp_path / 'in.jpg', tmp_path / 'out', exif=exif)
    with Image.open(tmp_path / 'out' / 'in.png') as saved:
        assert saved.size == size
