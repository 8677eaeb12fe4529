from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sod_plugins.data import (
    PRESETS,
    DataError,
    DatasetPreset,
    FolderLayout,
    check_dataset,
    find_pairs,
    pair_problem,
)


def write_pair(root: Path, stem: str, mask: np.ndarray, size=(8, 10)) -> None:
    for folder in ('images', 'masks'):
        (root / folder).mkdir(exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(root / f'images/{stem}.jpg')
    Image.fromarray(mask).save(root / f'masks/{stem}.png')


def grey(*values: int, size=(8, 10)) -> np.ndarray:
    return np.resize(np.array(values, np.uint8), size)


def check(root: Path, **options):
    return check_dataset(root, progress=False, **options)


@pytest.fixture
def sound(tmp_path):
    write_pair(tmp_path, 'binary', grey(0, 255))
    write_pair(tmp_path, 'soft', grey(0, 51, 255, 255))
    write_pair(tmp_path, 'empty', grey(0))
    write_pair(tmp_path, 'full', grey(255, size=(4, 6)), size=(4, 6))
    return tmp_path


def test_report_of_sound_data(sound):
    report = check(sound)
    assert report.ok
    assert report.count == 4
    assert report.image_extensions == {'.jpg': 4}
    assert report.mask_extensions == {'.png': 4}
    assert report.sizes == {(8, 10): 3, (4, 6): 1}
    assert report.mask_formats == {
        '8-bit grey 0/255': 2,
        '8-bit grey levels': 1,
        '8-bit grey 0/1': 1,
    }
    assert [path.stem for path in report.soft_masks] == ['soft']
    assert [path.stem for path in report.empty_masks] == ['empty']
    assert [path.stem for path in report.full_masks] == ['full']
    assert report.foreground == pytest.approx([0.5, 0, 1, 0.55])  # in order of stems


def test_text_of_sound_data(sound):
    lines = dict(line.split(maxsplit=1) for line in check(sound).format().splitlines())
    assert lines['pairs'] == '4'
    assert lines['images'] == f'4 .jpg in {sound}/images'
    assert lines['problems'] == 'none'
    text = check(sound).format()
    assert '4x6 to 8x10, median 8x10 (height x width), 2 different' in text
    assert 'soft masks        1 (25.0%)' in text
    assert f"empty masks       1, such as '{sound}/masks/empty.png'" in text


def test_all_problems_are_found_in_one_run(sound):
    write_pair(sound, 'labels', grey(0, 3))
    write_pair(sound, 'mismatch', grey(0, 255, size=(10, 8)))
    write_pair(sound, 'cut', grey(0, 255))
    image = sound / 'images/cut.jpg'
    image.write_bytes(image.read_bytes()[:-40])
    (sound / 'images/lonely.jpg').touch()
    (sound / 'masks/orphan.png').touch()
    report = check(sound)
    assert not report.ok
    assert len(report.problems) == 5
    text = report.format()
    assert f"'{sound}/images/lonely.jpg' has no mask." in text
    assert f"'{sound}/masks/orphan.png' has no image." in text
    assert f"Cannot read image '{image}': the file is damaged or truncated" in text
    assert f"Cannot read mask '{sound}/masks/labels.png': its largest value is 3" in text
    assert f"mismatch.jpg' is 8x10 but '{sound}/masks/mismatch.png' is 10x8" in text
    assert text.count('\n  - ') == 5
    assert report.format(listed=2).endswith('  ... and 3 more')


def test_every_problem_of_a_pair_is_told(sound):
    write_pair(sound, 'mismatch', grey(0, 255, size=(10, 8)))
    write_pair(sound, 'text', grey(0, 255))
    (sound / 'masks/text.png').write_text('no image')
    write_pair(sound, 'labels', grey(0, 1, 2))
    write_pair(sound, 'cut', grey(0, 255))
    photo = sound / 'images/cut.jpg'
    photo.write_bytes(photo.read_bytes()[:-20])
    problems = {pair.stem: pair_problem(pair) for pair in find_pairs(sound)}
    assert [problems[stem] for stem in ('binary', 'empty', 'full', 'soft')] == [None] * 4
    assert "mismatch.jpg' is 8x10 but" in problems['mismatch']
    assert "masks/text.png'" in problems['text']
    assert "masks/labels.png': its largest value is 2" in problems['labels']
    assert "images/cut.jpg'" in problems['cut']


def test_preset_count_is_compared(sound, monkeypatch):
    monkeypatch.setitem(PRESETS, 'four', DatasetPreset('Four', 4, 'a note'))
    assert check(sound, preset='four').ok
    assert 'Four: 4 pairs (a note)' in check(sound, preset='Four').format()
    report = check(sound, preset='ecssd')
    assert report.problems[0].startswith('ECSSD has 1000 pairs, but 4 were found.')


def test_unknown_preset_is_refused_before_reading(tmp_path):
    with pytest.raises(DataError, match=r"preset must be .*, got 'pascals'\..* mean 'pascal-s'\?"):
        check(tmp_path / 'no', preset='pascals')


def test_layout_can_be_given(sound):
    (sound / 'list.txt').write_text('soft\nfull\n')
    assert check(FolderLayout(sound, list_file='list.txt')).count == 2


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(DataError, match='does not exist'):
        check(tmp_path / 'no')


# --- photos that EXIF turns, and masks that were drawn on their stored pixels ---


def turn(path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    with Image.open(path) as image:
        image.load()
    image.save(path, exif=exif)


def test_photos_turned_without_their_masks_are_told_until_the_user_chooses(sound):
    turn(sound / 'images/binary.jpg', 3)
    report = check(sound)
    assert [path.stem for path in report.turned] == ['binary']
    (problem,) = report.problems
    assert "1 images, such as '" in problem and '--exif ignore' in problem
    assert f"turned by EXIF    1, such as '{sound}/images/binary.jpg'" in report.format()
    for choice in ('apply', 'ignore'):
        report = check(FolderLayout(sound, exif=choice))
        assert report.ok and len(report.turned) == 1


def test_a_mask_that_is_turned_alike_is_no_problem(sound):
    turn(sound / 'images/binary.jpg', 6)
    turn(sound / 'masks/binary.png', 6)
    assert check(sound).ok


def test_a_mask_of_the_stored_size_is_told_with_the_choice(sound):
    turn(sound / 'images/binary.jpg', 6)
    (pair,) = (pair for pair in find_pairs(sound) if pair.stem == 'binary')
    problem = pair_problem(pair)
    assert problem is not None
    assert "is 10x8 but '" in problem and "exif='ignore', --exif ignore." in problem
    (stored,) = (pair for pair in find_pairs(sound, exif='ignore') if pair.stem == 'binary')
    assert pair_problem(stored) is None
    assert check(FolderLayout(sound, exif='ignore')).ok


def test_kinds_of_photos_are_counted(sound):
    Image.fromarray(np.full((8, 10), 3000, np.uint16)).save(sound / 'images/soft.png')
    (sound / 'images/soft.jpg').unlink()
    report = check(sound)
    assert report.image_formats == {'8-bit RGB': 3, '16-bit grey with 12-bit values': 1}
    assert 'image formats     3 8-bit RGB, 1 16-bit grey with 12-bit values' in report.format()


def test_a_photo_that_training_would_refuse_does_not_pass(tmp_path):
    """Floating point has no scale, and integers beyond 16 bits have none either."""
    write_pair(tmp_path, 'good', grey(0, 255))
    for stem, values in (('float', np.float32), ('wide', np.int32)):
        write_pair(tmp_path, stem, grey(0, 255))
        (tmp_path / f'images/{stem}.jpg').unlink()
        pixels = np.full((8, 10), 70_000, values)
        Image.fromarray(pixels).save(tmp_path / f'images/{stem}.tiff')
    problems = {pair.stem: pair_problem(pair) for pair in find_pairs(tmp_path)}
    assert problems['good'] is None
    assert 'floating-point values have no fixed scale' in problems['float']
    assert "wide.tiff'" in problems['wide']
