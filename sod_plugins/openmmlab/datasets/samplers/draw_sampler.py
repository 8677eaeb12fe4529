"""A sampler of mmengine's loops whose order and position are functions of (seed, draw number)."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from sod_plugins.data.sampling import DrawIndex, DrawOrder
from sod_plugins.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class DrawSampler(Sampler[DrawIndex]):
    """Draw the samples in the order of :class:`sod_plugins.data.sampling.DrawOrder`.

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

    Raises:
        ValueError: If the data set is empty.
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
        self.round_up = round_up
        self.rank, self.world_size = get_dist_info()
        self.epoch = 0
        self._skipped = 0

    @property
    def _order(self) -> DrawOrder:
        """The order by the present seed, which a resume may have replaced."""
        return DrawOrder(
            len(self.dataset),
            self.seed,
            self.shuffle,
            self.infinite,
            self.round_up,
            self.rank,
            self.world_size,
        )

    def __iter__(self) -> Iterator[DrawIndex]:
        """Draw this process's samples, the skipped ones left out."""
        skipped, self._skipped = self._skipped, 0
        yield from self._order.draws(self.epoch, skipped)

    def __len__(self) -> int:
        """Return the number of draws of this process in one pass."""
        return len(self._order)

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
