"""Find the images named by files, folders and patterns, and name their predictions."""

from __future__ import annotations

import glob
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sod_plugins.data import image_files, is_marked, left_out_files, list_files

# Extensions of images and masks that share a folder, as in MSRA10K.
PHOTO_AND_MASK = {frozenset({suffix, '.png'}) for suffix in ('.jpg', '.jpeg')}


@dataclass
class Collection:
    """The result of :func:`find_images`.

    Attributes:
        names: The images, each with its path below the output folder, including the extension.
        left_out: Images in folders and patterns whose format is not read, with the reason.
        earlier: Images in the output folder that this package made, which are not inputs.
    """

    names: dict[Path, Path] = field(default_factory=dict)
    left_out: dict[Path, str] = field(default_factory=dict)
    earlier: list[Path] = field(default_factory=list)


def collect_images(paths: Iterable[str | Path], *, recursive: bool = False) -> list[Path]:
    """List the images named by files, folders and glob patterns, see :func:`find_images`."""
    return list(find_images(paths, recursive=recursive).names)


def find_images(
    paths: Iterable[str | Path], *, recursive: bool = False, out_dir: str | Path | None = None
) -> Collection:
    """Find the images named by files, folders and glob patterns.

    A folder stands for the images directly in it or, with ``recursive``, also for those in its
    subfolders, at any depth. A pattern such as ``folder/**/*.jpg`` reaches subfolders by itself.
    Hidden files and other extensions are ignored in folders and patterns; a file named explicitly
    is always used. An image named twice counts once.

    Args:
        paths: Files, folders and patterns.
        recursive: Whether outputs keep the folders of their images: relative to the named folder,
            to the part of a pattern before its first wildcard or, for files named explicitly, to
            their common folder. Otherwise all outputs go to one folder.
        out_dir: The output folder; images below it that this package made are not inputs.

    Raises:
        FileNotFoundError: A file does not exist, or a folder or pattern yields no image.
    """
    paths = list(paths)
    if '' in paths:  # else the current folder
        raise FileNotFoundError("'' is no file, folder or pattern. Name images that exist.")
    named = [Path(path) for path in paths]
    collection = Collection()
    seen: set[Path] = set()
    shared = _shared_folder([path for path in named if path.is_file()])
    for path in named:
        found = [path] if path.is_file() else _search(path, recursive, out_dir, collection)
        if not found:
            what = _what(path, recursive, collection)
            raise FileNotFoundError(f"'{path}' {what}. Name images that exist.")
        base = shared if path.is_file() else path if path.is_dir() else _fixed_part(path)
        for image in found:
            target = resolved(image)
            if target not in seen:
                seen.add(target)
                name = Path(os.path.relpath(image, base)) if recursive else Path(image.name)
                collection.names[image] = name
    return collection


def output_names(names: Mapping[Path, Path]) -> dict[Path, Path]:
    """Return the name of the output of each image: ``<stem>.png``.

    Images with the same folder and stem, such as ``a.png`` and ``a.tiff``, keep their full names:
    ``a.png.png`` and ``a.tiff.png``.

    Args:
        names: Path of each image below the output folder, including the extension.

    Raises:
        ValueError: Every image is a JPEG with a PNG of the same stem, as in data sets with masks.
    """
    groups = defaultdict(set)
    for name in names.values():
        groups[name.with_suffix('')].add(name)
    kinds = {frozenset(name.suffix.lower() for name in group) for group in groups.values()}
    if kinds and kinds <= PHOTO_AND_MASK:
        photo = next(image for image in names if image.suffix.lower() != '.png')
        raise ValueError(
            f"Every JPEG has a PNG with the same stem beside it, such as '{photo}', as in a data "
            f"set with masks. Name only the photos: '{photo.parent}/*{photo.suffix}'."
        )
    outputs = {}
    for image, name in names.items():
        alone = len(groups[name.with_suffix('')]) == 1
        outputs[image] = name.parent / f'{name.stem if alone else name.name}.png'
    return outputs


def resolved(path: str | Path) -> Path:
    """Return a path without links; ``Path.resolve`` fails at a loop of them before Python 3.13."""
    return Path(os.path.realpath(path))


def _search(
    path: Path, recursive: bool, out_dir: str | Path | None, collection: Collection
) -> list[Path]:
    """List the images of a folder or pattern, and record those that are left out."""
    candidates = list(_candidates(path, recursive))
    collection.left_out.update(left_out_files(candidates))
    found = image_files(candidates)
    if out_dir is None or not Path(out_dir).is_dir():
        return found
    results = resolved(out_dir)
    earlier = [p for p in found if results in resolved(p).parents and is_marked(p)]
    collection.earlier += earlier
    return [image for image in found if image not in set(earlier)]


def _candidates(path: Path, recursive: bool) -> Iterator[Path]:
    if not path.is_dir():
        # Path.glob does not accept absolute patterns.
        yield from map(Path, glob.glob(str(path), recursive=True))  # noqa: PTH207
    elif not recursive:
        yield from path.iterdir()
    else:
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if name[0] != '.')
            yield from (Path(parent, name) for name in names)


def _shared_folder(files: list[Path]) -> Path:
    return Path(os.path.commonpath([file.absolute().parent for file in files] or [Path.cwd()]))


def _fixed_part(pattern: Path) -> Path:
    """Return the folder before the first wildcard of a pattern."""
    parts = pattern.parts
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return Path(*parts[:first])


def _what(path: Path, recursive: bool, collection: Collection) -> str:
    """Explain why a folder or pattern yields no image."""
    if collection.left_out:
        reasons = [f"'{file}' ({reason})" for file, reason in collection.left_out.items()]
        return f'has no image in it that can be read, but {list_files(reasons)}'
    if not path.is_dir():
        return 'matches no image' if glob.has_magic(str(path)) else 'is no file, folder or pattern'
    if not recursive and any(inner.is_dir() for inner in path.iterdir()):
        return 'has no image in it, but folders (recursive=True, --recursive)'
    return 'has no image in it'
