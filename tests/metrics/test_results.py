from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from sod_plugins.data import DataError
from sod_plugins.metrics import (
    MEASURE_NAMES,
    Evaluation,
    Measure,
    SaliencyEvaluator,
    TableRow,
    evaluation_table,
    read_json,
)

OLD = Path(__file__).parent / 'evaluation_45c5851.json'
OWN = Measure('own', 'own %', 'lower', lambda image: float(image.mask.mean()))


def draw_samples() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    samples = []
    for _ in range(3):
        mask = rng.random((20, 30)) < 0.3
        samples.append(((0.6 * mask + 0.4 * rng.random((20, 30))).astype(np.float32), mask))
    return samples


def evaluate(protocol: str, measures=None) -> Evaluation:
    evaluator = SaliencyEvaluator(protocol, measures)
    for index, sample in enumerate(draw_samples()):
        evaluator.step(*sample, f'im{index}')
    return evaluator.evaluation()


def test_files_of_older_versions_are_read_and_their_numbers_still_hold():
    old, new = read_json(OLD), evaluate('fastsaliency')
    assert list(old.measures) == list(MEASURE_NAMES)
    assert (old.protocol, old.count, old.dark) == ('fastsaliency', 3, ())
    assert old.measures == pytest.approx(new.measures, abs=1e-12)
    assert list(old.curves) == list(new.curves)
    for name, curve in new.curves.items():
        np.testing.assert_allclose(old.curves[name], curve, atol=1e-12, rtol=0)
    table = evaluation_table([TableRow('old', old), TableRow('new', new)], digits=9)
    assert table.count('**') == 2 * 2 * len(MEASURE_NAMES)  # all numbers are the best, being equal


def test_a_users_measure_is_read_where_its_code_is_missing(tmp_path):
    evaluate('survey', ['kappa', OWN]).write_json(tmp_path / 'scores.json')
    again = read_json(tmp_path / 'scores.json')
    assert list(again.measures) == ['kappa', 'own']
    assert (again.info('own').title, again.info('own').arrow) == ('own %', '↓')
    rows = [TableRow('a', again), TableRow('b', evaluate('survey', ['mae', OWN]))]
    assert evaluation_table(rows, style='latex').splitlines()[2:6:2] == [
        r'method & protocol & images & kappa $\uparrow$ & own \% $\downarrow$ & MAE $\downarrow$ '
        r'\\',
        f'a & survey & 3 & {again.measures["kappa"]:.4f} & \\textbf{{{again.measures["own"]:.4f}}} '
        r'& -- \\',
    ]
    head, first, second = csv.reader(evaluation_table(rows, style='csv').splitlines())
    assert head[3:] == ['kappa', 'own', 'mae']
    assert (first[5], second[3]) == ('', '')


def test_cells_are_no_formulas_to_a_spreadsheet(tmp_path):
    evaluator = SaliencyEvaluator(measures=['cohen_kappa'])
    stems = ['=1+2', '+a', '-b', '@c', 'd-e', '\tf', '\ng', '\uff1dh']  # the last: full width
    for stem in stems:
        evaluator.step(np.array([[0, 255]], np.uint8), np.array([[True, False]]), stem)
    found = evaluator.evaluation()
    found.write_per_image_csv(tmp_path / 'images.csv')
    with (tmp_path / 'images.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert {row['stem'] for row in rows} == {
        "'=1+2",
        "'+a",
        "'-b",
        "'@c",
        'd-e',
        "'\tf",
        "'\ng",
        "'\uff1dh",
    }
    assert {row['cohen_kappa'] for row in rows} == {'-1.0'}  # numbers stay numbers
    table = evaluation_table([TableRow('=cmd()', found, '-x')], style='csv')
    assert table.splitlines()[1] == "'=cmd(),'-x,pysodmetrics,8,-1.0000"


def test_names_that_are_no_utf_8_are_kept(tmp_path):
    stem = b'caf\xe9'.decode('utf-8', 'surrogateescape')
    evaluator = SaliencyEvaluator('survey', ['mae'])
    evaluator.step(*draw_samples()[0], stem)
    evaluator.step(np.zeros((2, 2)), np.zeros((2, 2), bool), stem)
    found = evaluator.evaluation()
    found.write_per_image_csv(tmp_path / 'images.csv')
    assert (tmp_path / 'images.csv').read_bytes().count(b'\ncaf\xe9,survey,') == 2
    found.write_json(tmp_path / 'scores.json')
    assert read_json(tmp_path / 'scores.json').skipped == (stem,)


@pytest.mark.parametrize(
    'change',
    [
        lambda text: '[' * 100_000,
        lambda text: text.replace('"mae": ', '"mae": 1' + '0' * 400 + ', "other": ', 1),
        lambda text: text[:-20],
    ],
)
def test_hostile_evaluations_are_refused(tmp_path, change):
    path = tmp_path / 'scores.json'
    path.write_text(change(OLD.read_text()))
    with pytest.raises(DataError, match=r"Cannot read the evaluation .*scores\.json'"):
        read_json(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match='pipe or a device'):
        read_json(path)


def test_results_describe_themselves():
    found = evaluate('survey', ['mae'])
    assert found.describe() == 'Saliency maps of 3 images, protocol survey'
    assert found.table().splitlines()[0] == '| method | protocol | images | MAE ↓ |'
    assert json.loads(found.to_json())['measures'] == [
        {'key': 'mae', 'title': 'MAE', 'direction': 'lower'}
    ]
