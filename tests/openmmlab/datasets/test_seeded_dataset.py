from __future__ import annotations

import pytest

from sod_plugins.data import DataError, sample_rng
from sod_plugins.openmmlab.datasets import SaliencyDataset, SeededDataset
from sod_plugins.openmmlab.datasets.samplers import SampleIndex


class FiveSamples(SeededDataset):
    def load_data_list(self):
        return [{'name': name} for name in 'abcde']


def make(pipeline=(), test_mode=False, seed=0):
    return FiveSamples(None, pipeline, test_mode, seed)


def numbers(dataset, index):
    return dataset[index]['rng'].integers(1000, size=3).tolist()


def test_generator_is_a_function_of_seed_draw_and_index():
    dataset = make(seed=6)
    expected = sample_rng(6, 40, 3).integers(1000, size=3).tolist()
    assert numbers(dataset, SampleIndex(3, draw=40)) == expected
    assert numbers(dataset, SampleIndex(3, draw=41)) != expected
    assert numbers(dataset, SampleIndex(4, draw=40)) != expected
    assert numbers(make(seed=7), SampleIndex(3, draw=40)) != expected


def test_plain_index_is_random_in_training_and_fixed_in_testing():
    training, testing = make(), make(test_mode=True)
    assert numbers(training, 3) != numbers(training, 3)
    assert numbers(testing, 3) == numbers(testing, 3)


def test_a_sample_that_cannot_be_used_is_an_error():
    def refuse(results):
        raise DataError(f'{results["name"]} is damaged')

    with pytest.raises(DataError, match='c is damaged'):
        make([refuse])[2]


def test_the_contract_of_mmengine_s_base_class_is_kept(photos):
    """What the hosts' inferencers, subsets and test-time tools ask of any data set."""
    whole = SaliencyDataset(photos)
    lazy = SaliencyDataset('no folder', lazy_init=True, metainfo={'classes': ('bg', 'object')})
    assert lazy.metainfo['classes'] == ('bg', 'object')
    assert lazy.metainfo['palette'] == whole.metainfo['palette']
    first = SaliencyDataset(photos, indices=2, serialize_data=False)
    assert [first[i]['img_path'] for i in range(2)] == [whole[i]['img_path'] for i in range(2)]
    assert len(first) == 2 < len(whole)
    chosen = SaliencyDataset(photos, indices=[3, 0])
    assert [chosen[i]['img_path'] for i in range(2)] == [whole[i]['img_path'] for i in (3, 0)]
    assert whole.get_subset(2)[1]['img_path'] == whole[1]['img_path']
    with pytest.raises(ValueError, match=r"SaliencyDataset leaves no sample out.*{'size': 3}"):
        SaliencyDataset(photos, filter_cfg={'size': 3})
