"""Labelled images for classification, from class folders or a list file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sod_plugins.data.decoding import image_extensions
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.folders import require_folder
from sod_plugins.data.texts import read_lines


@dataclass(frozen=True)
class LabelledImages:
    """Images with their class indices.

    Attributes:
        classes: The class names, in the order of their indices.
        images: (file, class index) of each image, sorted by class and then by path; images from a
            list keep its order.
    """

    classes: tuple[str, ...]
    images: list[tuple[Path, int]]


def find_labelled_images(
    folder: str | Path,
    *,
    list_file: str | Path | None = None,
    classes: Sequence[str] | None = None,
) -> LabelledImages:
    """Find images and their classes.

    Args:
        folder: A folder whose subfolders are the classes. All images at any depth below a
            subfolder belong to its class. Hidden files and folders are left out, and so are images
            beside the class folders.
        list_file: A text file with one ``path label`` per line, used instead of class folders.
            Paths are relative to ``folder``; the label follows the last space or tab.
        classes: The class names in the order of their indices, if those of another data set apply;
            not all need occur. By default the names found, as ``class_names`` sorts them.

    Raises:
        DataError: A folder or file is missing, a class has no image, a class is not among
            ``classes``, or a line of the list is malformed.
    """
    folder = Path(folder)
    if list_file is None:
        source = folder
        class_dirs = _class_dirs(folder)
        names = tuple(class_dir.name for class_dir in class_dirs)
        labelled = [(path, top.name) for top in class_dirs for path in _images_below(top)]
    else:
        require_folder(folder, 'image folder')
        source = Path(list_file)
        labelled = [(folder / path, label) for path, label in _read_labels(source)]
        names = _distinct(label for _, label in labelled)
        _require_files(source, [path for path, _ in labelled])
    if classes is not None:
        unknown = sorted(set(names) - set(classes))
        if unknown:
            raise DataError(
                f"'{source}' has classes that the training set has not: {list_files(unknown)}. "
                'Train and measure on the same classes.'
            )
        names = tuple(classes)
    number_of = {name: number for number, name in enumerate(names)}
    return LabelledImages(names, [(path, number_of[label]) for path, label in labelled])


def class_names(source: str | Path) -> tuple[str, ...]:
    """Return the class names of a data set in the order of their indices.

    Names are sorted as text, except that the labels of a list are sorted by value if all are
    integers. Labels 0 to 999 therefore become exactly these indices.

    Args:
        source: A folder of class folders, or a list file.

    Raises:
        DataError: There is no such folder or file, or it holds no class.
    """
    source = Path(source)
    if source.is_file():
        return _distinct(label for _, label in _read_labels(source))
    return tuple(path.name for path in _class_dirs(source))


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct labels of a list, sorted."""
    distinct = sorted(set(names))
    if all(name.isdecimal() for name in distinct):
        distinct.sort(key=int)
    return tuple(distinct)


def _class_dirs(folder: Path) -> list[Path]:
    require_folder(folder, 'folder of classes')
    found = sorted(path for path in folder.iterdir() if path.name[0] != '.' and path.is_dir())
    if not found:
        raise DataError(
            f"'{folder}' holds no class folders. Put the images of each class into a folder of "
            'their own in it.'
        )
    return found


def _images_below(class_dir: Path) -> list[Path]:
    """Return the images at any depth below a folder, by name alone: opening a million is slow."""
    found, ends = [], image_extensions()
    for parent, folders, names in os.walk(class_dir):
        folders[:] = [name for name in folders if name[0] != '.']
        found += [
            Path(parent, name)
            for name in names
            if name[0] != '.' and Path(name).suffix.lower() in ends
        ]
    if not found:
        raise DataError(
            f"The class folder '{class_dir}' holds no image files. Put some into it, or remove it."
        )
    return sorted(found)


def _read_labels(list_file: Path) -> list[tuple[str, str]]:
    """Read (path, label) from the lines of a list; empty lines are skipped."""
    lines = [line.strip() for line in read_lines(list_file, 'list') if line.strip()]
    entries = [line.rsplit('\t' if '\t' in line else None, 1) for line in lines]
    wrong = [entry[0] for entry in entries if len(entry) != 2]
    if wrong or not entries:
        raise DataError(
            f"Each line of the list '{list_file}' must name an image and its class, but it has "
            f'{list_files(wrong) or "no line"}.'
        )
    return [(path.strip(), label.strip()) for path, label in entries]


def _require_files(list_file: Path, paths: Iterable[Path]) -> None:
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise DataError(
            f"The list '{list_file}' names files that do not exist: {list_files(missing)}. "
            'Correct the list or the folder that its paths start at.'
        )
