from __future__ import annotations

import pytest

from sod_plugins.data import DataError, sample_rng
from sod_plugins.openmmlab.datasets import DrawnDataset
from sod_plugins.openmmlab.datasets.samplers import DrawIndex


class FiveSamples(DrawnDataset):
    def load_data_list(self):
        return [{'name': name} for name in 'abcde']


def make(pipeline=(), test_mode=False, seed=0):
    return FiveSamples(None, pipeline, test_mode, seed)


def numbers(dataset, index):
    return dataset[index]['rng'].integers(1000, size=3).tolist()


def test_generator_is_a_function_of_seed_draw_and_index():
    dataset = make(seed=6)
    expected = sample_rng(6, 40, 3).integers(1000, size=3).tolist()
    assert numbers(dataset, DrawIndex(3, draw=40)) == expected
    assert numbers(dataset, DrawIndex(3, draw=41)) != expected
    assert numbers(dataset, DrawIndex(4, draw=40)) != expected
    assert numbers(make(seed=7), DrawIndex(3, draw=40)) != expected


def test_plain_index_is_random_in_training_and_fixed_in_testing():
    training, testing = make(), make(test_mode=True)
    assert numbers(training, 3) != numbers(training, 3)
    assert numbers(testing, 3) == numbers(testing, 3)


def test_a_sample_that_cannot_be_used_is_an_error():
    def refuse(results):
        raise DataError(f'{results["name"]} is damaged')

    with pytest.raises(DataError, match='c is damaged'):
        make([refuse])[2]
