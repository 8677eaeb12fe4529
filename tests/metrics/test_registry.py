from __future__ import annotations

import re

import numpy as np
import pytest

from sod_plugins.data import DataError
from sod_plugins.metrics import (
    MEASURE_NAMES,
    MEASURES,
    Measure,
    SaliencyEvaluator,
    TableRow,
    comparison,
    evaluation_table,
    find_measures,
    register_measure,
)
from sod_plugins.metrics import measures as formulas


def largest_error(image) -> float:
    return abs(image.saliency - image.mask).max()


def precision_at_the_top(curves) -> float:
    return curves['precision'][-1]


OWN = Measure('largest_error', 'largest error', 'lower', largest_error)


@pytest.fixture
def sample() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (12, 15), dtype=np.uint8), rng.random((12, 15)) < 0.3


def keys(chosen) -> list[str]:
    return [measure.key for measure in find_measures(chosen)]


def test_measures_are_chosen_by_key_in_order():
    assert keys(['mae', 'max_f', 'mae']) == ['mae', 'max_f']
    assert keys(None) == keys(['default']) == list(MEASURE_NAMES)
    assert keys(['kappa', 'default'])[:2] == ['kappa', 'max_f']
    assert keys(['all']) == list(MEASURES)
    assert keys([OWN, 'mae']) == ['largest_error', 'mae']


@pytest.mark.parametrize(
    ('chosen', 'message'),
    [
        (['max_g'], r"got 'max_g'\. Did you mean 'max_f'\?"),
        ([], 'No measure was chosen'),
        ('mae', "must be a list of keys, got 'mae'"),
    ],
)
def test_unknown_choices_are_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        SaliencyEvaluator(measures=chosen)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('a b', 'A', 'higher', max), "cannot have the key 'a b'"),
        (('curves', 'A', 'higher', max), "cannot have the key 'curves'"),
        (('a', 'A', 'up', max), "direction must be one of 'higher', 'lower', got 'up'"),
        (('a', 'A', 'lower', max, 'median'), "averaging must be one of 'images', 'curves'"),
    ],
)
def test_nonsense_is_no_measure(arguments, message):
    with pytest.raises(ValueError, match=message):
        Measure(*arguments)


@pytest.mark.usefixtures('restored_registry')
def test_a_registered_measure_is_computed_by_default_once():
    assert register_measure(OWN) is OWN
    register_measure(Measure('largest_error', 'largest error', 'lower', largest_error))
    assert keys(None) == [*MEASURE_NAMES, 'largest_error']
    with pytest.raises(ValueError, match="There already is a measure 'mae'"):
        register_measure(Measure('mae', 'MAE', 'lower', largest_error))
    register_measure(Measure('other', 'other', 'higher', largest_error), default=False)
    assert 'other' not in keys(None)


def test_measures_of_images_are_averaged_and_those_of_curves_are_of_the_means(sample):
    top = Measure('top', 'top', 'higher', precision_at_the_top, 'curves')
    evaluator = SaliencyEvaluator(measures=[OWN, top])
    prediction, mask = sample
    own = evaluator.step(prediction, mask)
    other = evaluator.step(prediction, ~mask)
    assert own.keys() == {'largest_error', 'top'}
    found = evaluator.evaluation()
    assert found.measures['largest_error'] == np.mean(
        [own['largest_error'], other['largest_error']]
    )
    assert own['largest_error'] != other['largest_error']
    assert found.measures['top'] == np.mean([own['top'], other['top']])
    assert found.curves.keys() == {'thresholds', 'precision', 'recall', 'f'}
    table = evaluation_table([TableRow('net', found)]).splitlines()
    assert table[0] == '| method | protocol | images | largest error ↓ | top ↑ |'


def test_only_what_is_chosen_is_computed(sample, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError('computed in vain')

    for name in ('weighted_f_measure', 's_measure', 'e_measure', 'count_salient'):
        monkeypatch.setattr(formulas, name, refuse)
    evaluator = SaliencyEvaluator(measures=['mae'])
    found = evaluator.step(*sample)
    assert list(found) == ['mae']
    assert (evaluator.per_image[0].curves, evaluator.curves()) == ({}, {})
    monkeypatch.undo()
    for name in ('weighted_f_measure', 's_measure', 'e_measure'):
        monkeypatch.setattr(formulas, name, refuse)
    evaluator = SaliencyEvaluator(measures=['max_f', 'kappa'])
    assert list(evaluator.step(*sample)) == ['max_f', 'kappa']
    assert evaluator.per_image[0].curves.keys() == {'precision', 'recall'}


def test_what_is_chosen_does_not_depend_on_what_else_is(sample):
    everything = SaliencyEvaluator(measures=['all']).step(*sample)
    for key in MEASURES:
        assert SaliencyEvaluator(measures=[key]).step(*sample) == {key: everything[key]}


def test_curves_can_be_asked_for(sample):
    evaluator = SaliencyEvaluator(measures=['mae'], curves=['f', 'dice'])
    evaluator.step(*sample)
    found = evaluator.curves()
    assert list(found) == ['thresholds', 'precision', 'recall', 'f', 'dice']
    prediction, mask = sample
    image = comparison.Comparison(prediction, mask, evaluator.protocol)
    assert set(found) - {'thresholds'} < set(image.curves)
    assert len(image.curves) == len(list(image.curves))
    with pytest.raises(ValueError, match=r"curves must be one of .* got 'F'"):
        SaliencyEvaluator(curves=['F'])


@pytest.mark.parametrize(
    ('function', 'reason'),
    [
        (lambda _: float('nan'), 'is nan, not a finite number'),
        (lambda image: image.saliency, 'fails: TypeError'),
        (lambda image: image.depth, r"fails: AttributeError\(.*no attribute 'depth'"),
    ],
)
def test_a_measure_that_gives_no_number_is_named(sample, function, reason):
    broken = Measure('broken', 'broken', 'higher', function)
    with pytest.raises(DataError, match=f"Image 'cat': The measure 'broken' {reason}"):
        SaliencyEvaluator(measures=[broken]).step(*sample, 'cat')
    of_curves = Measure('broken', 'broken', 'higher', lambda curves: curves['depth'], 'curves')
    with pytest.raises(DataError, match=r"The measure 'broken' fails: KeyError\('depth'\)"):
        SaliencyEvaluator(measures=[of_curves]).step(*sample)


def test_titles_fit_a_table():
    titles = [measure.title for measure in MEASURES.values()]
    assert len(set(titles)) == len(titles)
    assert all(re.fullmatch(r"[A-Za-z' -]{1,26}", title) for title in titles)
