"""Sample order and random choices as pure functions of their position in the run.

No state is kept between samples, so a resumed run, another number of workers or another loading
order yields the same samples and choices.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np


def sample_rng(seed: int, draw: int, index: int) -> np.random.Generator:
    """Return the random generator for one use of one sample.

    Args:
        seed: The seed of the run, 0 or larger.
        draw: The number of the epoch or draw, counted from 0.
        index: The index of the sample in its data set, 0 or larger.
    """
    return np.random.default_rng([seed, draw, index])


@contextmanager
def seeded_global_generators(rng: np.random.Generator) -> Iterator[None]:
    """Seed the global generators of NumPy and Python from another, and restore them at the end.

    So the transforms of other packages, which draw from the global ones, repeat themselves too.
    ``rng`` itself does not change.
    """
    before = np.random.get_state(), random.getstate()
    sequence = cast(np.random.SeedSequence, rng.bit_generator.seed_seq)
    words = sequence.spawn(1)[0].generate_state(4)
    np.random.seed(words)
    random.seed(words.tobytes())
    try:
        yield
    finally:
        np.random.set_state(before[0])
        random.setstate(before[1])


class SampleIndex(int):
    """A sample index that also carries the numbers of its draw and its epoch.

    Data sets use it as a plain int. It survives the transfer to worker processes, and the index
    arithmetic of data set wrappers (``%`` in a repeated one, ``-`` in a concatenated one) keeps
    the draw.

    Attributes:
        draw: Number of samples that the run has drawn before this one, over all processes.
        epoch: Number of epochs before this one; None if batches run on from one epoch to the
            next.
    """

    draw: int
    epoch: int | None

    def __new__(cls, index: int, draw: int, epoch: int | None = None) -> SampleIndex:  # noqa: D102
        self = super().__new__(cls, index)
        self.draw = draw
        self.epoch = epoch
        return self

    @property
    def pass_number(self) -> int | None:
        """The former name of ``epoch``."""
        return self.epoch

    def __getnewargs__(self) -> tuple[int, int, int | None]:  # type: ignore[override]
        return int(self), self.draw, self.epoch

    def __mod__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) % other, self.draw, self.epoch)

    def __sub__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) - other, self.draw, self.epoch)


@dataclass(frozen=True)
class SampleOrder:
    """A sample order that depends only on the seed and the epoch.

    Epoch p visits the data set in the order of ``default_rng([seed, p])``. Draws are numbered
    through all epochs, and process r of n takes draws r, r + n, r + 2n, ...

    Args:
        size: Number of samples in the data set.
        seed: The seed of the order, equal in all processes.
        shuffle: Whether to shuffle each epoch.
        infinite: Whether batches run on from epoch to epoch; otherwise the order is that of one.
        round_up: Whether to extend a finite epoch with its first samples so that all processes
            draw equally often. An infinite order needs no extension.
        rank: The rank of this process.
        world_size: Number of processes.
    """

    size: int
    seed: int
    shuffle: bool = True
    infinite: bool = False
    round_up: bool = True
    rank: int = 0
    world_size: int = 1

    @property
    def epoch_length(self) -> int:
        """Number of draws per epoch, over all processes."""
        filled = self.round_up and not self.infinite
        return self.size + (-self.size % self.world_size if filled else 0)

    def draws(self, epoch: int = 0, skipped: int = 0) -> Iterator[SampleIndex]:
        """Yield the draws of this process: those of one epoch or, in an infinite order, endlessly.

        Args:
            epoch: The epoch of a finite order.
            skipped: Number of this process's first draws to skip, at no cost: of the epoch or, in
                an infinite order, of the whole run.
        """
        length = self.epoch_length
        first = self.rank + skipped * self.world_size
        epochs: Iterable[int] = (epoch,)
        if self.infinite:
            first_epoch, first = divmod(first, length)
            epochs = itertools.count(first_epoch)
        for number in epochs:
            order = self.order(number)
            for position in range(first, length, self.world_size):
                epoch_of_draw = None if self.infinite else number
                yield SampleIndex(order[position], number * length + position, epoch_of_draw)
            first = (first - length) % self.world_size

    def order(self, epoch: int) -> list[int]:
        """Return the indices of one epoch, over all processes."""
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.size)
        else:
            order = np.arange(self.size)
        indices: list[int] = np.resize(order, self.epoch_length).tolist()
        return indices

    def __len__(self) -> int:
        return len(range(self.rank, self.epoch_length, self.world_size))


DrawIndex = SampleIndex  # the former names
DrawOrder = SampleOrder
