"""List files: text files that select samples, one per line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from sod_plugins.data.decoding import image_extensions
from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.names import normal, spellings
from sod_plugins.data.texts import read_lines


def read_list(path: Path) -> list[list[str]]:
    """Read the lines of a list file, each with one field (stem or image) or two (image and mask).

    Empty lines are skipped.
    """
    entries = [_fields(line) for line in read_lines(path, 'list') if line.strip()]
    if not entries:
        raise DataError(f"The list '{path}' is empty. Write one stem or path a line.")
    wrong = [' '.join(entry) for entry in entries if len(entry) > 2]
    if wrong:
        raise DataError(
            f"Lines of '{path}' have more than an image and a mask: {list_files(wrong)}. "
            'Correct them.'
        )
    return entries


def select_listed(list_file: Path, entries: Iterable[str], images: Mapping[str, Path]) -> list[str]:
    """Return the stems that the entries of a list refer to, rejecting duplicates.

    Args:
        list_file: The list file, for messages.
        entries: Stems, file names, or paths that end like an image's path.
        images: The images to choose from, by stem.

    Raises:
        DataError: An entry matches no image, or two match the same one.
    """
    by_name = {
        normal(name): stem for stem, path in images.items() for name in (path.name, path.stem)
    }
    unknown: list[str] = []
    stems: list[str] = []
    for entry in entries:
        found = (_stem_of(spelling, images, by_name) for spelling in spellings(entry))
        stem = next((stem for stem in found if stem is not None), None)
        if stem is None:
            unknown.append(entry)
        else:
            stems.append(stem)
    if unknown:
        raise DataError(
            f"The list '{list_file}' names images that do not exist: {list_files(unknown)}. "
            'Correct the list or the image folder.'
        )
    twice = sorted(stem for stem, count in Counter(stems).items() if count > 1)
    if twice:
        raise DataError(f"The list '{list_file}' names twice: {list_files(twice)}. Keep one each.")
    return stems


def listed_stems(list_file: str | Path) -> list[str]:
    """Return the distinct stems of the images in a list, sorted, whether or not they exist.

    Raises:
        DataError: The list cannot be read, is empty, or a line has more than two fields.
    """
    names = {Path([*spellings(image)][-1]).name for image, *_ in read_list(Path(list_file))}
    return sorted({normal(Path(name).stem if _is_file_name(name) else name) for name in names})


def _stem_of(entry: str, images: Mapping[str, Path], by_name: Mapping[str, str]) -> str | None:
    """Return the stem of the single image that matches an entry."""
    entry = normal(entry)
    if entry in images:
        return entry
    parts = Path(entry).parts
    stem = by_name.get(parts[-1])
    if stem is None or len(parts) == 1:
        return stem
    ending = images[stem].parts[-len(parts) :]
    return stem if tuple(map(normal, ending)) == parts else None


def _fields(line: str) -> list[str]:
    """Split at tabs, or between two file names; stems and paths may hold spaces."""
    if '\t' in line:
        return [field.strip() for field in line.split('\t')]
    words = line.split()
    if len(words) == 2 and all(map(_is_file_name, words)):
        return words
    return [line.strip()]


def _is_file_name(word: str) -> bool:
    return Path(word).suffix.lower() in image_extensions()
