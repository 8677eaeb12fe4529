from __future__ import annotations

import threading
import time

import pytest

from sod_plugins.inference.pipeline import run_pipeline


def double(values):
    return [2 * value for value in values]


def tell(item, decoded, computed):
    return item, decoded, computed


@pytest.mark.parametrize('workers', [0, 1, 2, 5])
@pytest.mark.parametrize('batch_size', [1, 3, 20])
def test_results_come_in_order_and_pair_with_their_items(workers, batch_size):
    """Also where later items are decoded and encoded sooner."""

    def decode(item):
        time.sleep(0.003 * (item % 3))
        return 10 * item

    def encode(item, decoded, computed):
        time.sleep(0.003 * (2 - item % 3))
        return tell(item, decoded, computed)

    sizes = []

    def compute(values):
        sizes.append(len(values))
        return double(values)

    options = {'workers': workers, 'batch_size': batch_size}
    results = list(run_pipeline(range(8), decode, compute, encode, **options))
    assert results == [(i, (i, 10 * i, 20 * i)) for i in range(8)]
    assert max(sizes) == min(8, batch_size) and sum(sizes) == 8


@pytest.mark.parametrize('workers', [0, 2])
def test_an_item_that_cannot_be_decoded_costs_only_itself(workers):
    def decode(item):
        if item in (0, 3, 4):
            raise ValueError(f'no {item}')
        return item

    results = dict(run_pipeline(range(6), decode, double, tell, workers=workers, batch_size=2))
    assert {i: str(r) for i, r in results.items() if isinstance(r, ValueError)} == {
        i: f'no {i}' for i in (0, 3, 4)
    }
    assert [results[i] for i in (1, 2, 5)] == [(1, 1, 2), (2, 2, 4), (5, 5, 10)]
    assert list(results) == list(range(6))


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_only_so_many_items_are_in_memory(workers):
    alive, most, lock = set(), [0], threading.Lock()

    def decode(item):
        with lock:
            alive.add(item)
            most[0] = max(most[0], len(alive))
        return item

    def encode(item, decoded, computed):
        time.sleep(0.002)
        with lock:
            alive.discard(item)

    for _ in run_pipeline(range(40), decode, double, encode, workers=workers):
        pass
    assert most[0] <= 2 * max(1, workers) + 1


@pytest.mark.parametrize('workers', [0, 1, 3])
@pytest.mark.parametrize('batch_size', [1, 4])
def test_weights_are_bounded_and_what_is_too_heavy_goes_alone(workers, batch_size):
    weights = [1, 5, 4, 20, 3, 3, 3, 3, 1, 11, 9]
    alive, lock, seen, heaviest = {}, threading.Lock(), [], {}

    def decode(item):
        with lock:
            alive[item] = weights[item]
            seen.append(sum(alive.values()))
            for other in alive:
                heaviest[other] = max(heaviest.get(other, 0), len(alive))
        time.sleep(0.003)
        if item == 8:
            with lock:
                del alive[item]
            raise ValueError('unreadable, so that it leaves early')
        return item

    def encode(item, decoded, computed):
        time.sleep(0.003)
        with lock:
            del alive[item]
        return computed

    options = {'workers': workers, 'batch_size': batch_size, 'capacity': 10}
    results = list(
        run_pipeline(range(11), decode, double, encode, weigh=weights.__getitem__, **options)
    )
    assert [item for item, _ in results] == list(range(11))
    assert [result for item, result in results if item != 8] == [2 * i for i in range(11) if i != 8]
    assert max(total for total in seen if total not in (20, 11)) <= 10
    assert set(seen) & {20, 11} == {20, 11}
    assert (heaviest[3], heaviest[9]) == (1, 1)  # each of those alone
    assert alive == {}


def test_light_items_still_overlap_below_the_limit():
    both = threading.Barrier(2)

    def decode(item):
        both.wait(20)
        return item

    results = run_pipeline(range(4), decode, double, tell, weigh=lambda _: 5, capacity=10)
    assert len(list(results)) == 4


def test_stages_overlap():
    """Each item is decoded while the one before it is computed: else this would wait for ever."""
    decoded = [threading.Event() for _ in range(4)]

    def decode(item):
        decoded[item].set()
        return item

    def compute(values):
        if values[0] < 3:
            assert decoded[values[0] + 1].wait(20)
        return values

    assert len(list(run_pipeline(range(4), decode, compute, tell, workers=2))) == 4


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('error', [OSError('disk full'), KeyboardInterrupt()])
def test_another_error_ends_it_when_what_runs_has_ended(workers, error):
    running = []

    def encode(item, decoded, computed):
        running.append(item)
        try:
            time.sleep(0.01)
            if item == 2:
                raise error
        finally:
            running.remove(item)

    with pytest.raises(type(error)):
        list(run_pipeline(range(50), lambda item: item, double, encode, workers=workers))
    assert running == []
