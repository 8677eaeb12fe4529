"""How file names wrap the stem that pairs them, and which prefix or suffix would pair them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.names import normal

# So many names and ways to read them are tried.
_EXAMPLES = 20


@dataclass(frozen=True)
class NamePattern:
    """How the names of one kind of file wrap the stem that pairs them.

    Attributes:
        role: What the files are, for messages.
        prefix: What precedes the stem.
        suffix: What follows it, before the extension.
        argument: How the names of the arguments begin that gave the two; by default the role.
    """

    role: str
    prefix: str
    suffix: str
    argument: str = ''

    def index(self, files: Iterable[Path]) -> dict[str, Path]:
        """Map the stems of the files whose names fit to the files, refusing equal stems."""
        by_stem: dict[str, list[Path]] = {}
        for path in files:
            stem = self.stem(path)
            if stem is not None:
                by_stem.setdefault(stem, []).append(path)
        equal = [path for paths in by_stem.values() if len(paths) > 1 for path in paths]
        if equal:
            raise DataError(
                f'Several {self.role}s have the same stem: {list_files(equal)}. '
                'Keep one of each, or rename them.'
            )
        if not by_stem:
            name = self.argument or self.role
            raise DataError(
                f"No {self.role} has a name of the form '{self.prefix}<stem>{self.suffix}'. "
                f'Correct {name}_prefix and {name}_suffix.'
            )
        return {stem: paths[0] for stem, paths in by_stem.items()}

    def stem(self, path: Path) -> str | None:
        """Return the stem of a file; None if its name does not fit."""
        return self.inner(path.stem)

    def inner(self, name: str) -> str | None:
        """Return what prefix and suffix enclose in a name without extension; None if nothing.

        It is in Unicode's composed form, so that files of different systems pair.
        """
        name, prefix, suffix = map(normal, (name, self.prefix, self.suffix))
        end = len(name) - len(suffix)
        fits = name.startswith(prefix) and name.endswith(suffix)
        return name[len(prefix) : end] if fits and end > len(prefix) else None


def fitting_affixes(names: Iterable[str], stems: Collection[str]) -> tuple[str, str] | None:
    """Find what surrounds stems in names: the prefix and suffix that pair most of the names.

    Args:
        names: File names without extension, such as ``'a_sal'`` and ``'b_sal'``.
        stems: What they may be about, such as ``'a'`` and ``'b'``.

    Returns:
        The prefix and the suffix, such as ``('', '_sal')``; None if fewer than half of the names
        hold a stem in that way.
    """
    names = list(names)
    votes = Counter(
        (name[:start], name[start + len(stem) :])
        for name in names[:_EXAMPLES]
        for stem in stems
        if (start := name.find(stem)) >= 0 and name != stem
    )
    chosen = set(stems)
    best, most = None, (len(names) - 1) // 2
    for (prefix, suffix), _ in votes.most_common(_EXAMPLES):
        pattern = NamePattern('', prefix, suffix)
        count = sum(pattern.inner(name) in chosen for name in names)
        if count > most:
            best, most = (prefix, suffix), count
    return best
