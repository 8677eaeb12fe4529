"""The data set of images with one class each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sod_plugins._common.declarations import passes_on
from sod_plugins.data import (
    DataError,
    class_names,
    find_labelled_images,
    list_problems,
)
from sod_plugins.data.images import check_image_file
from sod_plugins.openmmlab.datasets.seeded_dataset import SeededDataset
from sod_plugins.registry import DATASETS


@DATASETS.register_module()
@passes_on(SeededDataset)
class ImageFolderDataset(SeededDataset):
    """Images in one folder per class, as in ImageNet, or from a list.

    A sample reaches the pipeline as a dict of ``img_path``, ``gt_label`` (int), ``sample_idx`` and
    the ``rng`` of :class:`SeededDataset`. The class names, in the order of their indices,
    are ``metainfo['classes']``.

    Args:
        data_root: The folder of the data set.
        split: The folder of images below it. Without ``list_file`` each subfolder is a class,
            sorted by name, with all images at any depth below it.
        list_file: A text file below ``data_root`` with one ``path label`` per line; paths are
            relative to the folder of images. Integer labels are sorted by value, others by name.
        classes_of: The training set that defines the classes: its folder of class folders, or its
            list file, below ``data_root``. Use it for the validation set, which may lack some of
            the classes but have no others.
        check_images: Whether to decode all images when the data set is built, so that all damaged
            ones are reported before training starts; otherwise the first one ends the run.

    Raises:
        DataError: A folder or file is missing, a class has no image, a class is not among those of
            the training set, or an image cannot be read.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: str = '',
        list_file: str | None = None,
        classes_of: str | None = None,
        check_images: bool = False,
        **arguments: Any,
    ) -> None:
        self.split = split
        self.list_file = list_file
        self.classes_of = classes_of
        self.check_images = check_images
        super().__init__(data_root, **arguments)

    def load_data_list(self) -> list[dict[str, Any]]:
        """Find the images and their classes, and check the files if requested."""
        root = Path(self.data_root)
        found = find_labelled_images(
            root / self.split,
            list_file=None if self.list_file is None else root / self.list_file,
            classes=None if self.classes_of is None else class_names(root / self.classes_of),
        )
        self._metainfo['classes'] = found.classes
        if self.check_images:
            _require_readable([path for path, _ in found.images])
        return [{'img_path': str(path), 'gt_label': label} for path, label in found.images]


def _require_readable(paths: Sequence[Path]) -> None:
    problems = []
    for path in paths:
        try:
            check_image_file(path)
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError(
            f'{len(problems)} of {len(paths)} images cannot be used:\n{list_problems(problems)}'
        )
