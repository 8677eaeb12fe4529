"""Sample order and random choices as pure functions of their position in the run.

No state is kept between samples, so a resumed run, another number of workers or another loading
order yields the same samples and choices.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


def sample_rng(seed: int, draw: int, index: int) -> np.random.Generator:
    """Return the random generator for one use of one sample.

    Args:
        seed: The seed of the run, 0 or larger.
        draw: The number of the epoch or draw, counted from 0.
        index: The index of the sample in its data set, 0 or larger.
    """
    return np.random.default_rng([seed, draw, index])


class DrawIndex(int):
    """A sample index that also carries the numbers of its draw and its epoch.

    Data sets use it as a plain int. It survives the transfer to worker processes, and the index
    arithmetic of data set wrappers (``%`` in a repeated one, ``-`` in a concatenated one) keeps
    the draw.

    Attributes:
        draw: Number of samples that the run has drawn before this one, over all processes.
        pass_number: Number of epochs before this one; None if batches run on from one epoch to the
            next.
    """

    draw: int
    pass_number: int | None

    def __new__(cls, index: int, draw: int, pass_number: int | None = None) -> DrawIndex:  # noqa: D102
        self = super().__new__(cls, index)
        self.draw = draw
        self.pass_number = pass_number
        return self

    def __getnewargs__(self) -> tuple[int, int, int | None]:  # type: ignore[override]
        return int(self), self.draw, self.pass_number

    def __mod__(self, other: int) -> DrawIndex:
        return DrawIndex(int(self) % other, self.draw, self.pass_number)

    def __sub__(self, other: int) -> DrawIndex:
        return DrawIndex(int(self) - other, self.draw, self.pass_number)


@dataclass(frozen=True)
class DrawOrder:
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
    def pass_length(self) -> int:
        """Number of draws per epoch, over all processes."""
        filled = self.round_up and not self.infinite
        return self.size + (-self.size % self.world_size if filled else 0)

    def draws(self, pass_number: int = 0, skipped: int = 0) -> Iterator[DrawIndex]:
        """Yield the draws of this process: those of one epoch or, in an infinite order, endlessly.

        Args:
            pass_number: The epoch of a finite order.
            skipped: Number of this process's first draws to skip, at no cost: of the epoch or, in
                an infinite order, of the whole run.
        """
        length = self.pass_length
        first = self.rank + skipped * self.world_size
        passes: Iterable[int] = (pass_number,)
        if self.infinite:
            first_pass, first = divmod(first, length)
            passes = itertools.count(first_pass)
        for number in passes:
            order = self.order(number)
            for position in range(first, length, self.world_size):
                pass_of_draw = None if self.infinite else number
                yield DrawIndex(order[position], number * length + position, pass_of_draw)
            first = (first - length) % self.world_size

    def order(self, pass_number: int) -> list[int]:
        """Return the indices of one epoch, over all processes."""
        if self.shuffle:
            order = np.random.default_rng([self.seed, pass_number]).permutation(self.size)
        else:
            order = np.arange(self.size)
        indices: list[int] = np.resize(order, self.pass_length).tolist()
        return indices

    def __len__(self) -> int:
        return len(range(self.rank, self.pass_length, self.world_size))
