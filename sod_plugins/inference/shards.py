"""Parts of one job, predicted by independent processes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = 'sod-predict'
INSTANCES = 'instances'


@dataclass(frozen=True)
class Shard:
    """Part ``index`` of ``count``, from 1: every ``count``-th image.

    Raises:
        ValueError: The part does not exist.
    """

    index: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(
                f'There is no shard {self.index}/{self.count}. Give I/N with I from 1 to N.'
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse ``I/N``.

        Raises:
            ValueError: The text has another form, or the part does not exist.
        """
        index, slash, count = text.partition('/')
        if not (slash and index.isdecimal() and count.isdecimal()):
            raise ValueError(f"'{text}' is not of the form I/N, such as 3/8")
        return cls(int(index), int(count))

    def take(self, images: Iterable[Path]) -> list[Path]:
        """Return the images of this part."""
        return list(images)[self.index - 1 :: self.count]

    def manifest(self, out_dir: str | Path) -> Path:
        """Return the file that records this part's run."""
        return self._named(out_dir, MANIFEST)

    def instances(self, out_dir: str | Path) -> Path:
        """Return the file of this part's instances."""
        return self._named(out_dir, INSTANCES)

    def results(
        self, names: Mapping[Path, Path], mine: Iterable[Path], unreadable: Mapping[Path, str]
    ) -> dict[str, Any]:
        """Return what merging the parts needs to know; nothing if this is the whole.

        Args:
            names: Names of the outputs of each image, for all parts.
            mine: The images of this part.
            unreadable: The images that could not be read, with the reason.
        """
        if self.count == 1:
            return {}
        every = '\n'.join(name.as_posix() for name in names.values())
        return {
            'shard': [self.index, self.count],
            'all_images': hashlib.sha256(every.encode('utf-8', 'surrogateescape')).hexdigest(),
            'images': [names[image].as_posix() for image in mine],
            'unreadable': {str(image): reason for image, reason in unreadable.items()},
        }

    def _named(self, out_dir: str | Path, stem: str) -> Path:
        part = '' if self.count == 1 else f'.{self.index}-of-{self.count}'
        return Path(out_dir, f'{stem}{part}.json')
