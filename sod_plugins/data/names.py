"""File names as other systems write them: with backslashes or decomposed accents."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path


def normal(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), so that equal names compare equal.

    macOS stores a letter and its accent separately where other systems store one character.
    """
    return unicodedata.normalize('NFC', name)


def spellings(entry: str) -> Iterator[str]:
    """Yield a path as written and then, if it comes from Windows, with forward slashes."""
    yield entry
    if '\\' in entry:
        yield entry.replace('\\', '/')


class FileFinder:
    """Finds the files named in a list, in any spelling; each folder is read once."""

    def __init__(self) -> None:
        self._names: dict[Path, dict[str, str]] = {}

    def find(self, folder: Path, entry: str) -> Path:
        """Return the file below a folder, or the path as written if there is none."""
        for spelling in spellings(entry):
            found = self._walk(folder, spelling)
            if found.is_file():
                return found
        return folder / entry

    def _walk(self, folder: Path, entry: str) -> Path:
        path = folder / entry
        if path.exists():
            return path
        path = Path(entry) if Path(entry).is_absolute() else folder
        for part in Path(entry).parts:
            exact = path / part
            path = exact if exact.exists() else path / self._listing(path).get(normal(part), part)
        return path

    def _listing(self, folder: Path) -> dict[str, str]:
        """Map the composed names in a folder to the stored names."""
        if folder not in self._names:
            names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            self._names[folder] = {normal(name): name for name in names}
        return self._names[folder]
