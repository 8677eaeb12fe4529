"""How file names embed the stem that pairs them, and which prefix or suffix would pair them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sod_plugins.data.errors import DataError, list_files
from sod_plugins.data.names import normal

# Number of names, and of ways to split them, that are tried.
_EXAMPLES = 20


@dataclass(frozen=True)
class NamePattern:
    """How the names of one kind of file embed the stem that pairs them.

    Attributes:
        role: What the files are, for messages.
        prefix: Text before the stem.
        suffix: Text after the stem, before the extension.
        argument: The common beginning of the two argument names, for messages; by default the
            role.
    """

    role: str
    prefix: str
    suffix: str
    argument: str = ''

    def index(self, files: Iterable[Path]) -> dict[str, Path]:
        """Map stems to the files with matching names, rejecting equal stems."""
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
        """Return the stem of a file; None if its name does not match."""
        return self.inner(path.stem)

    def inner(self, name: str) -> str | None:
        """Return the part of a bare name between prefix and suffix; None if it does not match.

        It is in Unicode's composed form, so that files of different systems pair.
        """
        name, prefix, suffix = map(normal, (name, self.prefix, self.suffix))
        end = len(name) - len(suffix)
        fits = name.startswith(prefix) and name.endswith(suffix)
        return name[len(prefix) : end] if fits and end > len(prefix) else None


def fitting_affixes(names: Iterable[str], stems: Collection[str]) -> tuple[str, str] | None:
    """Find the prefix and suffix that pair most of the names with stems.

    Args:
        names: File names without extension, such as ``'a_sal'`` and ``'b_sal'``.
        stems: The stems to look for, such as ``'a'`` and ``'b'``.

    Returns:
        The prefix and suffix, such as ``('', '_sal')``; None if they pair fewer than half of the
        names.
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
