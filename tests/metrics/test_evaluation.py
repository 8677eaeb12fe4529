from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

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
        ('damaged or truncated', 'no image', 'is 4x3 but', 'has colours'),
        strict=False,
    ):
        assert str(name) in line
        assert reason in line
    assert str(gt_dir / '4.bmp') in lines[5]
    assert len(lines) == 6


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
    with pytest.raises(ValueError, match="no protocol 'best'"):
        evaluate_folders(tmp_path / 'nowhere', tmp_path / 'nowhere', protocol='best')


def test_grey_maps_in_colour_files_are_read(tmp_path):
    levels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    Image.fromarray(levels).convert('RGB').save(tmp_path / 'map.png')
    np.testing.assert_array_equal(read_prediction(tmp_path / 'map.png'), levels)
