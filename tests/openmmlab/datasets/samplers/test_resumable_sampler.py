from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset

from sod_plugins.data import sample_rng
from sod_plugins.openmmlab.datasets import SaliencyDataset
from sod_plugins.openmmlab.datasets.samplers import ResumableSampler, SampleIndex, resumable_sampler


def sampler_of(monkeypatch, size=7, rank=0, world_size=1, **kwargs):
    monkeypatch.setattr(resumable_sampler, 'get_dist_info', lambda: (rank, world_size))
    return ResumableSampler(range(size), seed=4, **kwargs)


def drawn(sampler, count=None):
    return [(int(index), index.draw) for index in itertools.islice(sampler, count)]


def expected_pass(number, size=7):
    order = np.random.default_rng([4, number]).permutation(size).tolist()
    return [(index, number * size + position) for position, index in enumerate(order)]


def test_epochs_follow_seed_and_number(monkeypatch):
    sampler = sampler_of(monkeypatch)
    assert drawn(sampler) == expected_pass(0)
    assert drawn(sampler) == expected_pass(0)
    sampler.set_epoch(3)
    assert drawn(sampler) == expected_pass(3)


def test_infinite_goes_through_pass_after_pass(monkeypatch):
    stream = [*expected_pass(0), *expected_pass(1), *expected_pass(2)]
    assert drawn(sampler_of(monkeypatch, infinite=True), 20) == stream[:20]


def test_without_shuffle(monkeypatch):
    sampler = sampler_of(monkeypatch, size=3, shuffle=False, infinite=True)
    assert drawn(sampler, 5) == [(0, 0), (1, 1), (2, 2), (0, 3), (1, 4)]


@pytest.mark.parametrize('size', [2, 7])
@pytest.mark.parametrize('infinite', [False, True])
def test_processes_share_the_stream(monkeypatch, size, infinite):
    """Also where there are more processes (3) than samples (2)."""
    kwargs = dict(size=size, infinite=infinite, world_size=3)
    streams = [drawn(sampler_of(monkeypatch, rank=rank, **kwargs), 8) for rank in range(3)]
    together = [index for group in zip(*streams, strict=True) for index in group]
    alone = drawn(sampler_of(monkeypatch, size=size, infinite=True), 24)
    if infinite:
        assert together == alone
    else:  # filled up from the beginning of the pass: 7 to 9, 2 to 3
        fill = -size % 3
        assert [index for index, _ in together] == [
            index for index, _ in alone[:size] + alone[:fill]
        ]
        assert [draw for _, draw in together] == list(range(size + fill))


def test_without_rounding_up_every_sample_comes_once(monkeypatch):
    samplers = [sampler_of(monkeypatch, rank=r, world_size=3, round_up=False) for r in range(3)]
    assert [len(sampler) for sampler in samplers] == [3, 2, 2]
    assert sorted(i for sampler in samplers for i, _ in drawn(sampler)) == list(range(7))


@pytest.mark.parametrize('infinite', [False, True])
@pytest.mark.parametrize('count', [0, 1, 4, 5, 13])
def test_skip_leaves_out_the_beginning(monkeypatch, infinite, count):
    kwargs = dict(infinite=infinite, rank=1, world_size=2)
    whole = drawn(sampler_of(monkeypatch, **kwargs), 30)
    sampler = sampler_of(monkeypatch, **kwargs)
    sampler.skip(count)
    assert drawn(sampler, max(30 - count, 0)) == whole[count:]
    # The next iteration begins at the beginning again.
    assert drawn(sampler, 30) == whole


def test_the_pass_is_known_where_batches_end_with_it(monkeypatch):
    sampler = sampler_of(monkeypatch)
    sampler.set_epoch(3)
    assert {index.epoch for index in sampler} == {3}
    sampler = sampler_of(monkeypatch, infinite=True)
    assert {index.epoch for index in itertools.islice(sampler, 20)} == {None}


def test_index_keeps_its_draw_through_pickle():
    index = SampleIndex(5, draw=9, epoch=2)
    copy = pickle.loads(pickle.dumps(index))
    assert (copy, copy.draw, copy.epoch, type(copy)) == (5, 9, 2, SampleIndex)


def test_index_keeps_its_draw_through_wrappers_of_data_sets(photos):
    dataset = SaliencyDataset(photos, seed=2)
    for wrapper in (RepeatDataset(dataset, times=2), ConcatDataset([dataset, dataset])):
        sample = wrapper[SampleIndex(11 + 4, draw=9, epoch=2)]
        assert (sample['sample_idx'], sample['draw'], sample['epoch']) == (4, 9, 2)
        assert sample['rng'].random() == sample_rng(2, 9, 4).random()


def test_refuses_nonsense(monkeypatch):
    with pytest.raises(ValueError, match='empty data set'):
        sampler_of(monkeypatch, size=0)
    with pytest.raises(ValueError, match='num_samples must be 0 or larger, but is -1'):
        sampler_of(monkeypatch).skip(-1)
