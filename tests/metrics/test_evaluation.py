from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sod_plugins._common import user_code
from sod_plugins.data import DataError
from sod_plugins.metrics import SaliencyEvaluator, evaluate_folders, read_prediction

MASK_EXTENSIONS = ('.png', '.bmp', '.tif')


@pytest.fixture
def folders(tmp_path):
    """Six maps and masks with mixed extensions, and what they hold."""
    rng = np.random.default_rng(4)
    (tmp_path / 'pred').mkdir()
    (tmp_path / 'gt').mkdir()
    arrays = {}
    for index in range(6):
        prediction = rng.integers(0, 256, (10 + index, 12), dtype=np.uint8)
        mask = (rng.random(prediction.shape) < 0.4).astype(np.uint8) * 255
        Image.fromarray(prediction).save(tmp_path / 'pred' / f'{index}.png')
        extension = MASK_EXTENSIONS[index % 3]
        Image.fromarray(mask).save(tmp_path / 'gt' / f'{index}{extension}')
        arrays[str(index)] = prediction, mask
    return tmp_path / 'pred', tmp_path / 'gt', arrays


def evaluate_arrays(arrays, protocol='pysodmetrics'):
    evaluator = SaliencyEvaluator(protocol)
    for stem, (prediction, mask) in arrays.items():
        evaluator.step(prediction, mask, stem)
    return evaluator.evaluation()


@pytest.mark.parametrize(
    ('protocol', 'workers'), [('pysodmetrics', 0), ('fastsaliency', 0), ('salmetric', 2)]
)
def test_folders_score_like_their_arrays(folders, protocol, workers):
    pred_dir, gt_dir, arrays = folders
    found = evaluate_folders(pred_dir, gt_dir, protocol=protocol, workers=workers, progress=False)
    expected = evaluate_arrays(arrays, protocol)
    assert (found.protocol, found.count) == (protocol, 6)
    assert found.measures == expected.measures
    assert found.per_image == expected.per_image
    np.testing.assert_array_equal(found.curves['e'], expected.curves['e'])


def test_a_list_selects_the_images(folders, tmp_path):
    pred_dir, gt_dir, arrays = folders
    (pred_dir / '0.png').unlink()
    (tmp_path / 'test.txt').write_text('3\nphotos/5.jpg\n')
    found = evaluate_folders(pred_dir, gt_dir, list_file=tmp_path / 'test.txt', progress=False)
    expected = evaluate_arrays({stem: arrays[stem] for stem in ('3', '5')})
    assert found.per_image == expected.per_image

    (tmp_path / 'test.txt').write_text('3\n0\nphotos/other.jpg\n')
    with pytest.raises(DataError, match=r'without prediction in .*: 0, other\. Predict them'):
        evaluate_folders(pred_dir, gt_dir, list_file=tmp_path / 'test.txt', progress=False)


def test_missing_partners_are_listed(folders):
    pred_dir, gt_dir, _ = folders
    (pred_dir / '2.png').unlink()
    (gt_dir / '4.bmp').rename(gt_dir / 'four.bmp')
    with pytest.raises(DataError) as error:
        evaluate_folders(pred_dir, gt_dir, progress=False)
    text = str(error.value)
    for part in (
        f'masks without prediction: {gt_dir / "2.tif"}, {gt_dir / "four.bmp"}',
        f'predictions without mask: {pred_dir / "4.png"}',
    ):
        assert part in text


def test_unusable_files_are_all_listed_before_any_work(folders, monkeypatch):
    pred_dir, gt_dir, _ = folders
    whole = (pred_dir / '0.png').read_bytes()
    (pred_dir / '0.png').write_bytes(whole[: len(whole) // 2])
    (pred_dir / '1.png').write_text('no image')
    Image.fromarray(np.zeros((3, 4), np.uint8)).save(pred_dir / '2.png')
    Image.new('RGB', (12, 13), (9, 99, 0)).save(pred_dir / '3.png')
    Image.fromarray(np.full((14, 12), 7, np.uint8)).save(gt_dir / '4.bmp')
    monkeypatch.setattr('sod_plugins.metrics.evaluation.score_image', None)  # must not be reached
    with pytest.raises(DataError) as error:
        evaluate_folders(pred_dir, gt_dir, progress=False)
    lines = str(error.value).splitlines()
    assert lines[0] == '5 of 6 pairs cannot be scored:'
    for line, name, reason in zip(
        lines[1:],
        (pred_dir / '0.png', pred_dir / '1.png', gt_dir / '2.tif', pred_dir / '3.png'),
        ('damaged or truncated', 'not an image', 'is 4x3 but', 'has colours'),
        strict=False,
    ):
        assert str(name) in line
        assert reason in line
    assert str(gt_dir / '4.bmp') in lines[5]
    assert len(lines) == 6


def test_each_file_is_decoded_once(folders, monkeypatch):
    pred_dir, gt_dir, arrays = folders
    opened = []

    def open_counted(file, *args, open=Image.open, **options):
        opened.append(file)
        return open(file, *args, **options)

    monkeypatch.setattr(Image, 'open', open_counted)
    evaluate_folders(pred_dir, gt_dir, progress=False)
    assert len(opened) == 2 * len(arrays)


def test_more_than_ten_problems_are_counted(tmp_path):
    for name in ('pred', 'gt'):
        (tmp_path / name).mkdir()
        for index in range(13):
            (tmp_path / name / f'{index:02d}.png').write_text('no image')
    with pytest.raises(DataError) as error:
        evaluate_folders(tmp_path / 'pred', tmp_path / 'gt', progress=False)
    lines = str(error.value).splitlines()
    assert lines[0] == '13 of 13 pairs cannot be scored:'
    assert lines[-1] == 'and 3 more'


def test_the_survey_scores_maps_of_another_size(folders):
    pred_dir, gt_dir, arrays = folders
    _, mask = arrays['0']
    Image.fromarray(mask).resize((6, 5), Image.Resampling.NEAREST).save(pred_dir / '0.png')
    found = evaluate_folders(pred_dir, gt_dir, protocol='survey', progress=False)
    assert found.per_image[0]['mae'] == 0
    assert found.count == 6
    with pytest.raises(DataError, match=r"0\.png' is 6x5 but .*0\.png' is 12x10"):
        evaluate_folders(pred_dir, gt_dir, progress=False)


def test_unknown_protocol_is_refused_before_the_folders_are_read(tmp_path):
    with pytest.raises(ValueError, match=r"protocol must be one of .*got 'best'"):
        evaluate_folders(tmp_path / 'nowhere', tmp_path / 'nowhere', protocol='best')


def test_grey_maps_in_colour_files_are_read(tmp_path):
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(levels).convert('RGB').save(tmp_path / 'map.png')
    np.testing.assert_array_equal(read_prediction(tmp_path / 'map.png'), levels)


def save_maps(folder, arrays, code=lambda values: values):
    folder.mkdir()
    for stem, (prediction, _) in arrays.items():
        Image.fromarray(code(prediction)).save(folder / f'{stem}.png')
    return folder


@pytest.mark.parametrize('protocol', ['pysodmetrics', 'salmetric'])
@pytest.mark.parametrize(
    ('binary', 'code'),
    [
        (True, lambda levels: levels // 255),  # 0/1
        (True, lambda levels: levels // 255 == 1),  # 1 bit
        (False, lambda levels: levels.astype(np.uint16)),  # 8 bits in 16
        (False, lambda levels: levels.astype(np.uint16) * 257),
        (False, lambda levels: levels.astype(np.float32)),
    ],
)
def test_maps_score_alike_however_they_are_coded(folders, tmp_path, protocol, binary, code):
    _, gt_dir, arrays = folders
    if binary:
        arrays = {
            stem: (np.where(prediction > 99, 255, 0).astype(np.uint8), mask)
            for stem, (prediction, mask) in arrays.items()
        }
    if code(np.zeros(1, np.uint8)).dtype == np.float32:
        maps = tmp_path / 'coded'
        maps.mkdir()
        for stem, (prediction, _) in arrays.items():
            Image.fromarray(code(prediction)).save(maps / f'{stem}.tiff')
    else:
        maps = save_maps(tmp_path / 'coded', arrays, code)
    found = evaluate_folders(maps, gt_dir, protocol=protocol, progress=False)
    assert found.measures == evaluate_arrays(arrays, protocol).measures
    assert found.dark == ()


@pytest.mark.parametrize('workers', [0, 1])
def test_a_dark_map_among_brighter_ones_stays_dark(folders, tmp_path, workers):
    """A network that sees nothing may save a map of 0 and 1: only a whole folder is 0/1-coded."""
    _, gt_dir, arrays = folders
    arrays['2'] = arrays['2'][0] // 200, arrays['2'][1]
    arrays['3'] = np.zeros_like(arrays['3'][0]), arrays['3'][1]
    assert set(np.unique(arrays['2'][0])) == {0, 1}
    maps = save_maps(tmp_path / 'maps', arrays)
    found = evaluate_folders(maps, gt_dir, protocol='salmetric', workers=workers, progress=False)
    expected = evaluate_arrays(arrays, 'salmetric')
    assert found.per_image == expected.per_image
    assert found.measures == expected.measures
    assert found.dark == ('2',)


def test_grey_jpeg_maps_may_have_chroma_noise(folders, tmp_path):
    _, gt_dir, arrays = folders
    noisy = save_maps(
        tmp_path / 'noisy',
        arrays,
        lambda levels: np.stack([levels, levels, np.where(levels > 2, levels - 2, levels)], axis=2),
    )
    found = evaluate_folders(noisy, gt_dir, progress=False)
    assert found.count == 6
    expected = evaluate_arrays(arrays)
    assert found.measures['mae'] == pytest.approx(expected.measures['mae'], abs=1 / 255)


def test_names_may_have_affixes_that_the_message_proposes(folders):
    pred_dir, gt_dir, arrays = folders
    for path in [*pred_dir.iterdir()]:
        path.rename(path.with_name(f'{path.stem}_sal.png'))
    with pytest.raises(DataError, match=r"give --pred-suffix '_sal', which fits"):
        evaluate_folders(pred_dir, gt_dir, progress=False)
    found = evaluate_folders(pred_dir, gt_dir, pred_suffix='_sal', progress=False)
    assert found.measures == evaluate_arrays(arrays).measures


OWN_MEASURE = """
from sod_plugins.metrics import Measure, register_measure

register_measure(Measure('top', 'top', 'higher', lambda image: image.saliency.max()))
"""


@pytest.mark.usefixtures('restored_registry')
@pytest.mark.parametrize('workers', [0, 1])
def test_a_users_measure_is_computed_in_every_process(folders, tmp_path, workers, monkeypatch):
    monkeypatch.setattr(user_code, '_IMPORTED', [])
    pred_dir, gt_dir, _ = folders
    (tmp_path / 'mine.py').write_text(OWN_MEASURE)
    user_code.import_user_code(str(tmp_path / 'mine.py'))
    found = evaluate_folders(
        pred_dir, gt_dir, measures=['mae', 'top'], workers=workers, progress=False
    )
    assert list(found.measures) == ['mae', 'top']
    assert found.measures['top'] == 1
