"""Data loaders whose samples are functions of (seed, draw), so that a resume is exact."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from detectron2.data import (
    DatasetCatalog,
    build_detection_test_loader,
    build_detection_train_loader,
)
from detectron2.utils import comm
from torch.utils.data import DataLoader, Dataset, Sampler

from sod_plugins.data.sampling import (
    SampleIndex,
    SampleOrder,
    sample_rng,
    seeded_global_generators,
)

Mapper = Callable[[Mapping[str, Any]], Any]


class ResumableSampler(Sampler[SampleIndex]):
    """Draws samples endlessly in the order of :class:`sod_plugins.data.sampling.SampleOrder`.

    Args:
        size: Number of samples in the data set.
        seed: The seed of the order; by default one that all processes agree on.
        shuffle: Whether to shuffle each epoch.

    Raises:
        ValueError: The data set is empty.
    """

    def __init__(self, size: int, seed: int | None = None, shuffle: bool = True) -> None:
        if size == 0:
            raise ValueError('ResumableSampler cannot draw from an empty data set.')
        self.size, self.shuffle = size, shuffle
        self.seed: int = comm.shared_random_seed() if seed is None else seed
        self.rank, self.world_size = comm.get_rank(), comm.get_world_size()
        self.skipped = 0

    def __iter__(self) -> Iterator[SampleIndex]:
        """Draw this process's samples, the skipped ones left out."""
        yield from self._order.draws(skipped=self.skipped)

    def __len__(self) -> int:
        """Return the number of draws of this process in one epoch."""
        return len(self._order)

    @property
    def _order(self) -> SampleOrder:
        """Return the order for the current seed, which a resume may have replaced."""
        return SampleOrder(
            self.size, self.seed, self.shuffle, True, rank=self.rank, world_size=self.world_size
        )


class SeededDataset(Dataset[Any]):
    """Maps records, with the random generator of their draw, which is a function of the seed.

    The record gets ``rng`` and ``draw``. Augmentations of detectron2 draw from the global
    generators of NumPy and Python instead: while the mapper runs these are seeded too.

    Args:
        records: The records of a data set.
        mapper: From a record to a sample.
        sampler: Its seed is that of the random choices.
    """

    def __init__(
        self, records: Sequence[Mapping[str, Any]], mapper: Mapper, sampler: ResumableSampler
    ) -> None:
        self.records, self.mapper, self.sampler = records, mapper, sampler

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.records)

    def __getitem__(self, index: SampleIndex) -> Any:
        """Return the sample of a draw."""
        rng = sample_rng(self.sampler.seed, index.draw, int(index))
        with seeded_global_generators(rng):
            return self.mapper({**self.records[index], 'rng': rng, 'draw': index})


def build_train_loader(
    dataset: str | Sequence[str] | Sequence[Mapping[str, Any]],
    mapper: Mapper,
    *,
    total_batch_size: int,
    num_workers: int = 0,
    seed: int | None = None,
    shuffle: bool = True,
) -> DataLoader[Any]:
    """Build the loader of a training that :class:`ExactResumeHook` can resume.

    Args:
        dataset: Records, or the name of a data set in ``DatasetCatalog``, or several.
        mapper: From a record to a sample.
        total_batch_size: Samples of a step, over all processes.
        num_workers: Processes that load.
        seed: The seed of order and random choices; by default one that all processes agree on.
        shuffle: Whether to shuffle each epoch.
    """
    records = records_of(dataset)
    sampler = ResumableSampler(len(records), seed, shuffle)
    return build_detection_train_loader(
        SeededDataset(records, mapper, sampler),
        mapper=None,
        sampler=sampler,
        total_batch_size=total_batch_size,
        aspect_ratio_grouping=False,
        num_workers=num_workers,
    )


def build_test_loader(
    dataset: str | Sequence[Mapping[str, Any]],
    mapper: Mapper,
    *,
    batch_size: int = 1,
    num_workers: int = 0,
) -> DataLoader[Any]:
    """Build the loader of a test: every sample once, over all processes.

    Args:
        dataset: Records, or the name of a data set in ``DatasetCatalog``.
        mapper: From a record to a sample.
        batch_size: Samples at once.
        num_workers: Processes that load.
    """
    return build_detection_test_loader(
        records_of(dataset), mapper=mapper, batch_size=batch_size, num_workers=num_workers
    )


def records_of(
    dataset: str | Sequence[str] | Sequence[Mapping[str, Any]],
) -> list[Mapping[str, Any]]:
    """Return the records of data sets, by name or as they are."""
    if isinstance(dataset, str):
        return list(DatasetCatalog.get(dataset))
    return [
        record
        for entry in dataset
        for record in (DatasetCatalog.get(entry) if isinstance(entry, str) else [entry])
    ]


DrawSampler, DrawnDataset = ResumableSampler, SeededDataset  # the former names
