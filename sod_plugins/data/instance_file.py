"""Write the instances of a run image by image, and resume after an interruption."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

from sod_plugins._common.journal import Journal
from sod_plugins.data.errors import DataError
from sod_plugins.data.instance_reading import read_instances
from sod_plugins.data.instances import (
    Coco,
    Instances,
    add_annotated,
    annotations_by_image,
    new_coco,
    write_instances,
)

_ANEW = 'begin anew'  # records before this one are ignored
_FIELDS = {'file_name': str, 'height': int, 'width': int, 'annotations': list}


class InstanceFile:
    """COCO JSON of predicted instances; use it in a ``with`` statement.

    While it is open, each added image becomes a line in ``<stem>.jsonl`` beside the file. When it
    is closed, for whatever reason, the lines are merged into the file. A killed run leaves its
    lines behind, and the next run continues after them.

    Args:
        path: The file; its folder is created if it does not exist.
        overwrite: Discard the file and the lines of an earlier run. They stay on disk until the
            first image is added.

    Raises:
        DataError: The file, or the lines of an earlier run, cannot be read.
        OSError: Another process has the file open, or it cannot be written.
    """

    def __init__(self, path: str | Path, *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._journal = Journal(self.path.with_suffix('.jsonl'))
        self._begins = overwrite
        try:
            self._older = new_coco()
            self._names: set[str] = set()
            self._has_lines = False
            if not overwrite:
                self._take_up()
        except BaseException:
            self._journal.__exit__(None, None, None)
            raise

    def __enter__(self) -> InstanceFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._journal:
            self._fold()

    def __contains__(self, file_name: str) -> bool:
        """Return whether the file or a line holds an image."""
        return file_name in self._names

    def add(self, file_name: str, found: Instances) -> None:
        """Add an image and its instances, replacing an earlier entry for the image.

        Raises:
            OSError: The line cannot be written.
        """
        if self._begins:
            self._journal.append(_ANEW)
            self._begins = False
        height, width = found.size
        record = {'file_name': file_name, 'height': height, 'width': width}
        self._journal.append({**record, 'annotations': found.to_coco()})
        self._names.add(file_name)
        self._has_lines = True

    def _take_up(self) -> None:
        """Read what earlier runs left."""
        added, forgotten = self._read_lines()
        if self.path.exists() and not forgotten:
            self._older = read_instances(self.path, predicted=True)
        self._names = {*added, *(image['file_name'] for image in self._older['images'])}
        self._has_lines = bool(added)

    def _fold(self) -> None:
        """Merge the lines into the file and remove them."""
        if self._has_lines:
            added, forgotten = self._read_lines()
            write_instances(self.path, _joined(new_coco() if forgotten else self._older, added))
        if not self._begins or self._journal.is_empty:
            self._journal.discard()

    def _read_lines(self) -> tuple[dict[str, dict[str, Any]], bool]:
        """Return the last record of each image, and whether the older file is discarded."""
        records: dict[str, dict[str, Any]] = {}
        forgotten = False
        try:
            for number, record in enumerate(self._journal.records(), start=1):
                if record == _ANEW:
                    records, forgotten = {}, True
                    continue
                if not isinstance(record, dict) or any(
                    not isinstance(record.get(key), kind) for key, kind in _FIELDS.items()
                ):
                    raise ValueError(
                        f"'{self._journal.path}', line {number}, is not an image of an earlier "
                        'run. Move or remove the file.'
                    )
                records.pop(record['file_name'], None)
                records[record['file_name']] = record
        except ValueError as error:
            raise DataError(str(error)) from error
        return records, forgotten


def _joined(older: Coco, added: dict[str, dict[str, Any]]) -> Coco:
    """Merge the images of a file with added ones, which take precedence."""
    coco = new_coco()
    entries = annotations_by_image(older)
    for image in older['images']:
        if image['file_name'] not in added:
            add_annotated(coco, image, entries[image['id']])
    for record in added.values():
        add_annotated(coco, record, record['annotations'])
    return coco
