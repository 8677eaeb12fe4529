from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from sod_plugins.data import DataError
from sod_plugins.metrics import (
    MEASURE_NAMES,
    Evaluation,
    SaliencyEvaluator,
    TableRow,
    evaluation_table,
    read_json,
    write_json,
    write_per_image_csv,
)


def make_evaluation(protocol: str = 'pysodmetrics', **measures: float) -> Evaluation:
    return Evaluation(protocol, 7, dict.fromkeys(MEASURE_NAMES, 0.5) | measures, {})


@pytest.fixture
def scored() -> Evaluation:
    rng = np.random.default_rng(2)
    evaluator = SaliencyEvaluator('survey')
    for stem in ('b', 'a, "quoted"'):
        evaluator.step(rng.integers(0, 256, (6, 6), dtype=np.uint8), rng.random((6, 6)) < 0.5, stem)
    evaluator.step(np.zeros((6, 6), np.uint8), np.zeros((6, 6), bool), 'empty')
    return evaluator.evaluation()


def test_markdown_marks_the_best_of_each_protocol():
    rows = [
        TableRow('A|B', make_evaluation(max_f=0.90001, mae=0.2)),
        TableRow('C', make_evaluation(max_f=0.90004, mae=0.1)),
        TableRow('D', make_evaluation(max_f=0.8, mae=0.3)),
        TableRow('E', make_evaluation('salmetric', max_f=0.95, mae=0.01)),
    ]
    assert evaluation_table(rows, measures=('max_f', 'mae')).splitlines() == [
        '| method | protocol | images | max F ↑ | MAE ↓ |',
        '| --- | --- | ---: | ---: | ---: |',
        r'| A\|B | pysodmetrics | 7 | **0.9000** | 0.2000 |',
        '| C | pysodmetrics | 7 | **0.9000** | **0.1000** |',
        '| D | pysodmetrics | 7 | 0.8000 | 0.3000 |',
        '| E | salmetric | 7 | 0.9500 | 0.0100 |',
    ]


def test_latex_keeps_data_sets_apart():
    rows = [
        TableRow('u_net & co', make_evaluation(iou=0.7), 'ECSSD'),
        TableRow('ours', make_evaluation(iou=0.6), 'ECSSD'),
        TableRow('ours', make_evaluation(iou=0.4), 'SOD'),
    ]
    assert evaluation_table(rows, style='latex', measures=['iou'], digits=3).splitlines() == [
        r'\begin{tabular}{lllrr}',
        r'\toprule',
        r'method & dataset & protocol & images & IoU $\uparrow$ \\',
        r'\midrule',
        r'u\_net \& co & ECSSD & pysodmetrics & 7 & \textbf{0.700} \\',
        r'ours & ECSSD & pysodmetrics & 7 & 0.600 \\',
        r'ours & SOD & pysodmetrics & 7 & 0.400 \\',
        r'\bottomrule',
        r'\end{tabular}',
    ]


def test_csv_has_every_measure_and_no_marks():
    rows = [TableRow('A, B', make_evaluation(ber=0.25)), TableRow('C', make_evaluation())]
    head, first, _ = csv.reader(evaluation_table(rows, style='csv').splitlines())
    assert head == ['method', 'protocol', 'images', *MEASURE_NAMES]
    assert first == ['A, B', 'pysodmetrics', '7', *['0.5000'] * 10, '0.2500']


def test_json_has_the_promised_keys_and_comes_back_whole(scored, tmp_path):
    write_json(scored, tmp_path / 'new' / 'scores.json')
    record = json.loads((tmp_path / 'new' / 'scores.json').read_text())
    promised = 'max_f mean_f adp_f weighted_f s_measure max_e mean_e adp_e mae iou ber'
    for key in promised.split():
        assert record[key] == scored.measures[key]
    assert (record['protocol'], record['count'], record['skipped']) == ('survey', 2, ['empty'])
    again = read_json(tmp_path / 'new' / 'scores.json')
    assert replace(again, curves={}) == replace(scored, curves={}, per_image=())
    assert again.curves.keys() == {'thresholds', 'precision', 'recall', 'f', 'e'}
    for key, curve in scored.curves.items():
        np.testing.assert_array_equal(again.curves[key], curve)


@pytest.mark.parametrize('text', ['{"protocol": "survey"}', '[]', 'no json'])
def test_other_files_are_no_evaluation(tmp_path, text):
    (tmp_path / 'other.json').write_text(text)
    with pytest.raises(DataError, match=r"Cannot read the evaluation .*other\.json'"):
        read_json(tmp_path / 'other.json')


def test_per_image_csv_keeps_full_precision_and_lists_what_was_skipped(scored, tmp_path):
    write_per_image_csv(scored, tmp_path / 'images.csv')
    with (tmp_path / 'images.csv').open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['stem'] for row in rows] == ['a, "quoted"', 'b', 'empty']
    assert {row['protocol'] for row in rows} == {'survey'}
    for row, scores in zip(rows, scored.per_image, strict=False):
        assert all(float(row[key]) == scores[key] for key in MEASURE_NAMES)
    assert all(rows[2][key] == '' for key in MEASURE_NAMES)


def test_tables_refuse_what_they_cannot_show():
    row = TableRow('A', make_evaluation())
    with pytest.raises(ValueError, match='no evaluations'):
        evaluation_table([])
    with pytest.raises(ValueError, match=r"measures must be one of .*, got 'f1'"):
        evaluation_table([row], measures=['f1', 'mae'])
    with pytest.raises(ValueError, match=r"style must be one of .*, got 'html'"):
        evaluation_table([row], style='html')
