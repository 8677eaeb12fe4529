"""The order of samples and random choices, as functions of where they are made.

No state is kept between samples, so a resumed run, another number of workers or another order of
loading gives the same samples and choices.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np


def sample_rng(seed: int, draw: int, index: int) -> np.random.Generator:
    """Make the random generator of one use of one sample.

    Args:
        seed: The run's seed, 0 or larger.
        draw: How often samples have been drawn before: an epoch or a draw number, 0 or larger.
        index: The sample's index in its data set, 0 or larger.
    """
    return np.random.default_rng([seed, draw, index])


class DrawIndex(int):
    """The index of a sample that knows the number of its draw and of its pass.

    Any data set takes it for the int that it is. It crosses into worker processes, and the index
    arithmetic of data set wrappers (``%`` in a repeated, ``-`` in a concatenated one) keeps the
    draw.

    Attributes:
        draw: How many samples the run has drawn before this one, all processes together.
        pass_number: How many passes through the data came before this one; None where batches run
            on from one pass to the next.
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
    """An order of samples that depends on nothing but the seed and the pass.

    Pass number p goes through the data set in the order of ``default_rng([seed, p])``. The draws
    are numbered through all passes, and process r of n takes draws r, r + n, r + 2n, ...

    Args:
        size: How many samples the data set has.
        seed: The seed of the order, equal in all processes.
        shuffle: Whether to shuffle each pass.
        infinite: Whether batches run on from pass to pass; else the order is that of one pass.
        round_up: Whether a finite pass is filled up from its beginning so that all processes draw
            equally often. An infinite one needs no filling.
        rank: The number of this process.
        world_size: How many processes there are.
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
        """How many draws a pass has, of all processes together."""
        filled = self.round_up and not self.infinite
        return self.size + (-self.size % self.world_size if filled else 0)

    def draws(self, pass_number: int = 0, skipped: int = 0) -> Iterator[DrawIndex]:
        """Yield this process's draws: of one pass or, in an infinite order, without end.

        Args:
            pass_number: The pass of a finite order.
            skipped: How many of this process's first draws to leave out, at no cost: those of the
                pass or, in an infinite order, of the whole run.
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
        """Return the indices of one pass, of all processes together."""
        if self.shuffle:
            order = np.random.default_rng([self.seed, pass_number]).permutation(self.size)
        else:
            order = np.arange(self.size)
        indices: list[int] = np.resize(order, self.pass_length).tolist()
        return indices

    def __len__(self) -> int:
        return len(range(self.rank, self.pass_length, self.world_size))
