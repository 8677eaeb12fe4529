"""A sampler for mmengine's loops whose order and position depend on (seed, draw number)."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from sod_plugins.data.sampling import SampleIndex, SampleOrder
from sod_plugins.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module(['ResumableSampler', 'DrawSampler'])
class ResumableSampler(Sampler[SampleIndex]):
    """Yields the samples in the order of :class:`sod_plugins.data.sampling.SampleOrder`.

    An epoch-based run goes through it once per epoch (mmengine calls ``set_epoch``). With
    ``infinite``, an iteration-based run continues from epoch to epoch. ``skip`` starts in the
    middle of either, at no cost, as a resume requires.

    Args:
        dataset: The data set to draw from.
        shuffle: Whether to shuffle each epoch.
        seed: The seed of the order, equal in all processes; None chooses one. mmengine passes the
            runner's seed.
        infinite: Whether to draw endlessly.
        round_up: Whether to extend a finite epoch with its first samples so that all processes
            draw equally often. An infinite order needs no extension.

    Raises:
        ValueError: The data set is empty.
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
            raise ValueError('ResumableSampler cannot draw from an empty data set.')
        self.dataset = dataset
        self.shuffle = shuffle
        self.seed = sync_random_seed() if seed is None else seed
        self.infinite = infinite
        self.round_up = round_up
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self._skipped = 0

    @property
    def _order(self) -> SampleOrder:
        """The order for the current seed, which a resume may have replaced."""
        return SampleOrder(
            len(self.dataset),
            self.seed,
            self.shuffle,
            self.infinite,
            self.round_up,
            self.rank,
            self.world_size,
        )

    def __iter__(self) -> Iterator[SampleIndex]:
        """Yield the samples of this process, without the skipped ones."""
        skipped, self._skipped = self._skipped, 0
        yield from self._order.draws(self.epoch, skipped)

    def __len__(self) -> int:
        """Return the number of draws of this process in one epoch."""
        return len(self._order)

    def set_epoch(self, epoch: int) -> None:
        """Select the epoch of a finite sampler, from its beginning."""
        self.epoch = epoch
        self._skipped = 0

    def skip(self, num_samples: int) -> None:
        """Start the next iteration after the first ``num_samples`` draws of this process.

        They are counted from the beginning of the epoch or, for an infinite sampler, of the run.
        """
        if num_samples < 0:
            raise ValueError(f'num_samples must be 0 or larger, but is {num_samples}.')
        self._skipped = num_samples


DrawSampler = ResumableSampler  # the former name
