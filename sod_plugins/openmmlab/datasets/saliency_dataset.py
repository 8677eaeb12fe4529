"""The data set of images and soft saliency masks."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from sod_plugins._common.declarations import passes_on
from sod_plugins.data import (
    DataError,
    FolderLayout,
    SaliencyPair,
    find_pairs,
    find_preset,
    list_problems,
    pair_problem,
)
from sod_plugins.openmmlab.datasets.seeded_dataset import SeededDataset
from sod_plugins.registry import DATASETS


@DATASETS.register_module()
@passes_on(SeededDataset, find_pairs, without=('root', 'require_masks'))
class SaliencyDataset(SeededDataset):
    """Images and saliency masks in any layout that ``sod_plugins.data.find_pairs`` recognises.

    All files are checked when the data set is built, before training starts.

    A sample reaches the pipeline as a dict of ``img_path``, ``seg_map_path``, ``sample_idx`` and
    the ``rng`` of :class:`SeededDataset`.

    Args:
        preset: The name of a known data set in ``sod_plugins.data.PRESETS``; its number of samples
            must then be found.

    Raises:
        DataError: The data set is not usable: a file lacks its partner, sizes differ, ...
    """

    METAINFO: ClassVar[dict[str, Any]] = {
        'classes': ('background', 'salient'),
        'palette': [[0, 0, 0], [255, 255, 255]],
    }
    # Attributes that mmseg's scripts expect: labels are not shifted, and 255 is padding.
    ignore_index = 255
    reduce_zero_label = False

    def __init__(
        self,
        data_root: str | Path | None = None,
        *,
        preset: str | None = None,
        **arguments: Any,
    ) -> None:
        self.preset = preset
        of_layout = arguments.keys() & {field.name for field in fields(FolderLayout)}
        self._layout = {name: arguments.pop(name) for name in of_layout}
        super().__init__(data_root, **arguments)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find the pairs and check their number and files."""
        pairs = find_pairs(self.data_root, **self._layout)
        if self.preset is not None:
            problem = find_preset(self.preset).count_problem(len(pairs))
            if problem:
                raise DataError(problem)
        problems = [problem for pair in pairs if (problem := pair_problem(pair))]
        if problems:
            raise DataError(
                f'{len(problems)} of {len(pairs)} pairs cannot be used:\n{list_problems(problems)}'
            )
        return [_sample(pair) for pair in pairs]


def _sample(pair: SaliencyPair) -> dict[str, Any]:
    """Return the paths of a pair, and ``exif`` if both are read as stored."""
    sample = {'img_path': str(pair.image), 'seg_map_path': str(pair.mask)}
    return sample if pair.exif == 'apply' else {**sample, 'exif': pair.exif}
