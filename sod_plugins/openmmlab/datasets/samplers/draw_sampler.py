"""A sampler whose order and position are functions of (seed, draw number)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized

import numpy as np
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from sod_plugins.registry import DATA_SAMPLERS


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

    def __getnewargs__(self) -> tuple[int, int, int | None]:
        return int(self), self.draw, self.pass_number

    def __mod__(self, other: int) -> DrawIndex:
        return DrawIndex(int(self) % other, self.draw, self.pass_number)

    def __sub__(self, other: int) -> DrawIndex:
        return DrawIndex(int(self) - other, self.draw, self.pass_number)


@DATA_SAMPLERS.register_module()
class DrawSampler(Sampler[DrawIndex]):
    """Draw the samples in an order that depends on nothing but the seed and the pass.

    Pass number p goes through the data set in the order of ``default_rng([seed, p])``. The draws
    are numbered through all passes, and process r of n takes draws r, r + n, r + 2n, ...

    A run by epochs makes one pass an epoch (mmengine calls ``set_epoch``); with ``infinite``, a run
    by iterations goes on from pass to pass. ``skip`` starts in the middle of either, at no cost,
    which is what a resume needs.

    Args:
        dataset: The data set to draw from.
        shuffle: Whether to shuffle each pass.
        seed: The seed of the order, equal in all processes; None draws one. mmengine gives the
            runner's seed.
        infinite: Whether to draw endlessly.
        round_up: Whether a finite pass is filled up from its beginning so that all processes draw
            equally often. An infinite one needs no filling.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        infinite: bool = False,
        round_up: bool = True,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError('DrawSampler cannot draw from an empty data set.')
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self._skipped = 0
        self._pass_length = len(dataset)
        if round_up and not infinite:
            self._pass_length += -len(dataset) % self.world_size

    def __iter__(self) -> Iterator[DrawIndex]:
        """Draw this process's samples, the skipped ones left out."""
        first = self.rank + self._skipped * self.world_size
        self._skipped = 0
        if self.infinite:
            first_pass, first = divmod(first, self._pass_length)
            passes: Iterable[int] = itertools.count(first_pass)
        else:
            passes = (self.epoch,)
        for number in passes:
            order = self._order(number)
            drawn_before = number * self._pass_length
            pass_number = None if self.infinite else number
            for position in range(first, self._pass_length, self.world_size):
                yield DrawIndex(order[position], drawn_before + position, pass_number)
            first = (first - self._pass_length) % self.world_size

    def _order(self, number: int) -> list[int]:
        """Return the indices of one pass, of all processes together."""
        size = len(self.dataset)
        if self.shuffle:
            order = np.random.default_rng([self.seed, number]).permutation(size)
        else:
            order = np.arange(size)
        return np.resize(order, self._pass_length).tolist()

    def __len__(self) -> int:
        """Return the number of draws of this process in one pass."""
        return len(range(self.rank, self._pass_length, self.world_size))

    def set_epoch(self, epoch: int) -> None:
        """Choose the pass of a finite sampler, from its beginning."""
        self.epoch = epoch
        self._skipped = 0

    def skip(self, num_samples: int) -> None:
        """Let the next iteration begin after this process's first ``num_samples`` draws.

        Counted from the beginning of the epoch, or of the run where the sampler is infinite.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must be 0 or larger, but is {num_samples}.')
        self._skipped = num_samples
