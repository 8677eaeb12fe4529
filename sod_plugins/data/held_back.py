"""Hold back part of a training set for validation."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from sod_plugins._common.writing import write_text
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.layouts import find_pairs


def hold_back(
    stems: Iterable[str], count: int, seed: int = 0, left_out: Collection[str] = ()
) -> tuple[list[str], list[str]]:
    """Split stems into those to train on and a random sample to validate on, both sorted.

    The sample depends only on the set of stems and the seed.

    Args:
        stems: All stems.
        count: Number of stems to hold back.
        seed: Seed of the random choice.
        left_out: Stems that belong to neither part, such as images of the test set.

    Raises:
        DataError: ``left_out`` names unknown stems, or too few remain for training.
    """
    known = set(stems)
    unknown = sorted(set(left_out) - known)
    if unknown:
        raise DataError(f'Stems to leave out do not exist: {list_files(unknown)}.')
    kept = sorted(known - set(left_out))
    if not 0 < count < len(kept):
        raise DataError(
            f'Of {len(kept)} images {count} cannot be held back: choose 1 or more, not all.'
        )
    chosen = np.random.default_rng(seed).permutation(len(kept))[:count]
    held = {kept[index] for index in chosen}
    return [stem for stem in kept if stem not in held], sorted(held)


def write_held_back(
    root: str | Path, count: int, seed: int = 0, left_out: Collection[str] = ()
) -> tuple[Path, Path]:
    """Write ``train.txt`` and ``val.txt``, one stem per line, into a saliency data set's folder.

    Returns:
        The paths of the two files.

    Raises:
        DataError: The folder is not a data set, or :func:`hold_back` raises it.
    """
    root = Path(root)
    stems = [pair.image.stem for pair in find_pairs(root)]
    files = root / 'train.txt', root / 'val.txt'
    for file, part in zip(files, hold_back(stems, count, seed, left_out), strict=True):
        write_text(file, '\n'.join(part) + '\n')
    return files
