"""The base class of data sets: random choices are a function of seed, draw and index."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from sod_plugins.data.sampling import SampleIndex, sample_rng, seeded_global_generators


class SeededDataset(BaseDataset):
    """A data set that passes each sample to the pipeline with the random generator of its draw.

    ``rng``, the ``numpy.random.Generator`` for all random transforms, is a function of the seed,
    the draw number and the index. Workers, resumes and processes therefore do not change a sample.
    The number comes with the ``SampleIndex`` of ``sod_plugins.ResumableSampler``, whose ``draw``
    and ``epoch`` are passed to the pipeline too. A plain index from another sampler gets a random
    number, and the run can then not be resumed exactly.

    The hosts' transforms use the global generators of NumPy and Python instead, which are seeded by
    the same three numbers while the pipeline runs.

    Subclasses find the samples in ``load_data_list``.

    Args:
        data_root: The folder of the data set.
        pipeline: The transforms.
        test_mode: Whether the samples are for evaluation.
        seed: The seed of the random transforms.
        metainfo: Meta information that replaces that of the data set.
        filter_cfg: Must be None: these data sets do not filter samples.
        indices: The number of samples to use, from the first, or their indices.
        serialize_data: Whether to store samples as bytes, which worker processes share.
        lazy_init: Whether to search for the files only when the first sample is requested.
        max_refetch: How often to replace an unusable sample by another one; by default it is an
            error.

    Raises:
        ValueError: ``filter_cfg`` is given.
    """

    def __init__(
        self,
        data_root: str | Path | None = None,
        pipeline: Sequence[dict[str, Any] | Callable[..., Any]] = (),
        test_mode: bool = False,
        seed: int = 0,
        *,
        metainfo: Mapping[str, Any] | None = None,
        filter_cfg: Mapping[str, Any] | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 0,
    ) -> None:
        if filter_cfg:
            raise ValueError(
                f'{type(self).__name__} leaves no sample out, but filter_cfg is {filter_cfg}: name '
                'the samples in a list instead.'
            )
        self.seed = seed
        super().__init__(
            data_root=data_root,
            data_prefix={},
            pipeline=list(pipeline),
            test_mode=test_mode,
            metainfo=metainfo,
            indices=indices,
            serialize_data=serialize_data,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one sample, with the random generator of this draw."""
        results = self.get_data_info(idx)
        if isinstance(idx, SampleIndex):
            draw = idx.draw
            results |= {'draw': draw, 'epoch': idx.epoch}
        else:
            draw = 0 if self.test_mode else np.random.randint(2**31)
        results['rng'] = sample_rng(self.seed, draw, results['sample_idx'])
        with seeded_global_generators(results['rng']):
            return self.pipeline(results)


DrawnDataset = SeededDataset  # the former name
